// Takes the network away from this process: whatever would open a socket, listen on one or look up a name fails with EACCES. Programs and
// threads, which would be without this, are for the permissions that the process is started with.
import { syncBuiltinESMExports } from 'node:module';
import dgram from 'node:dgram';
import dns from 'node:dns';
import net from 'node:net';

function refused(what: string): Error {
  return Object.assign(new Error(`the network is refused during a replay (${what})`), { code: 'EACCES' });
}

/** For good: there is no way back. */
export function refuseNetwork(): void {
  // Of TLS, HTTP, fetch and WebSocket as well: they all go through it.
  net.Socket.prototype.connect = function connect(this: net.Socket) {
    return this.destroy(refused('connect'));
  };
  net.Server.prototype.listen = function listen() {
    throw refused('listen');
  };
  for (const name of ['bind', 'connect', 'send'] as const) {
    dgram.Socket.prototype[name] = function datagram() {
      throw refused(`datagram ${name}`);
    };
  }
  const silence = (owner: object): void => {
    for (const name of Object.getOwnPropertyNames(owner)) {
      if (!/^(lookup|resolve|reverse)/.test(name)) continue;
      const look = (...args: readonly unknown[]): Promise<never> | undefined => {
        const answer = args.at(-1);
        if (typeof answer !== 'function') return Promise.reject(refused(name));
        process.nextTick(answer, refused(name));
        return undefined;
      };
      Object.defineProperty(owner, name, { value: look });
    }
  };
  for (const owner of [dns, dns.promises, dns.Resolver.prototype, dns.promises.Resolver.prototype]) silence(owner);
  // A resolver inherits what looks up.
  for (const { prototype } of [dns.Resolver, dns.promises.Resolver])
    silence(Object.getPrototypeOf(prototype) as object);
  syncBuiltinESMExports();
}
