// What a nats-server says of the connections of gateways.
interface Connz {
  readonly connections: readonly { readonly name: string; readonly subscriptions_list?: readonly string[] }[];
}

/** The subjects under `prefix` that gateways subscribe to, by the monitor of their server. */
export async function subscribedTo(monitor: number, prefix: string): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${monitor}/connz?subs=1`);
  const { connections } = (await answer.json()) as Connz;
  const own = connections.filter(({ name }) => name === 'cortex-api-gateway');
  return own.flatMap((c) => c.subscriptions_list ?? []).filter((subject) => subject.startsWith(prefix));
}
