// How a process tells the one that started it where it listens, which matters when port 0 asked the
// system. It is a message over the IPC channel of `npm start`, nothing is printed and nothing waits.

/**
 * Says that `name` (`http`, `rpc` or `metrics`, as in local/services.ts) now answers at `url`, for
 * example `http://127.0.0.1:8081`. Does nothing when no supervisor of ours started this process.
 */
export function announceListening(name: string, url: string): void {
  // The variable is asked for as well, because test runners also start children with an IPC channel.
  if (process.env['CORTEX_SUPERVISED'] !== '1' || process.send === undefined || !process.connected) return;
  process.send({ type: 'listening', name, url }, undefined, undefined, (error: Error | null) => {
    // A supervisor that has just gone needs no address any more; every other failure is a surprise.
    if (error !== null && process.connected) throw error;
  });
}
