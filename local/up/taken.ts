// Can our own services listen where they are told to? NATS and Redis may move to the next free port, these may not:
// people and other programs know them by number.
import { type Address, formatAddress } from '#core/process/address.ts';
import { listenFault } from '#core/process/listen-fault.ts';
import { bindFault, portHolder } from '../servers/ports.ts';
import type { Service, ServicePort } from '../services.ts';

/** One line per address that cannot be had: the variable to set, and why; for a taken port, by whom. Empty when all can. */
export async function takenPorts(
  services: readonly Service[],
  addresses: ReadonlyMap<string, Address>,
): Promise<string[]> {
  const lines: string[] = [];
  for (const service of services) {
    for (const port of service.ports) {
      const address = addresses.get(`${service.name}.${port.name}`);
      const fault = address && (await bindFault(address.port, address.host || '0.0.0.0'));
      if (address !== undefined && fault !== undefined) lines.push(told(fault, address, port));
    }
  }
  return lines;
}

function told(fault: NodeJS.ErrnoException, address: Address, { variable, purpose }: ServicePort): string {
  if (fault.code !== 'EADDRINUSE') return `${variable}: ${listenFault(fault, address).message} (${purpose})`;
  const elsewhere = formatAddress(address).replace(/\d+$/, '<another port>');
  return (
    `port ${address.port} (${purpose}) is taken by ${portHolder(address.port)}: ` +
    `set ${variable}=${elsewhere}, or start with: npm start -- --ports auto`
  );
}
