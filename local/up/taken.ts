// Are the ports of our own services free? NATS and Redis may move to the next free port, these may not:
// people and other programs know them by number.
import type { Address } from '#core/process/address.ts';
import { isFree, portHolder } from '../servers/ports.ts';
import type { Service } from '../services.ts';

/** One line per taken port: the port, who holds it, and the variable to set. Empty when all are free. */
export async function takenPorts(
  services: readonly Service[],
  addresses: ReadonlyMap<string, Address>,
): Promise<string[]> {
  const lines: string[] = [];
  for (const service of services) {
    for (const port of service.ports) {
      const address = addresses.get(`${service.name}.${port.name}`);
      if (address === undefined || address.port === 0 || (await isFree(address.port, address.host || '0.0.0.0')))
        continue;
      lines.push(
        `port ${address.port} (${port.purpose}) is taken by ${portHolder(address.port)}: ` +
          `set ${port.variable}=${address.host}:<another port>, or start with: npm start -- --ports auto`,
      );
    }
  }
  return lines;
}
