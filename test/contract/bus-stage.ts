// The stage on which every bus plays its contract: one server that can be taken away, clients that are closed after each test, a
// subject for each test, and nothing left behind. The acts are in bus-delivery.ts and bus-outage.ts.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { BusConnection, Delivery, Publication } from '#core/bus/bus.ts';
import type { CortexError } from '#core/errors.ts';
import { until } from '../helpers/until.ts';

export interface BusRigOptions {
  readonly name: string;
  readonly onError: (error: CortexError) => void;
  readonly deadlineMs: number;
}

export interface BusRig {
  connect(options: BusRigOptions): Promise<BusConnection>;
  /** Takes the server away without a word, and brings it back. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Makes a stream that captures. */
  capture(stream: string, subjects: readonly string[]): Promise<void>;
  /** Subscriptions of clients, as the server counts them. */
  subscriptions(): Promise<number>;
  stop(): Promise<void>;
}

export interface BusStage {
  readonly rig: BusRig;
  /** What went to `onError` in this test. */
  readonly errors: CortexError[];
  /** This test's own. */
  readonly subject: string;
  connect(options?: Partial<BusRigOptions>): Promise<BusConnection>;
  message(text: string, more?: Partial<Publication>): Publication;
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const words = (messages: readonly Delivery[]): string[] =>
  messages.map(({ data }) => new TextDecoder().decode(data));

/** Everything published so far is delivered: the server answers in order. */
export async function settled(...subscribers: readonly BusConnection[]): Promise<void> {
  for (const subscriber of subscribers) await subscriber.ping();
}

/** Collects deliveries, and resolves when a number of them is there. */
export function inbox() {
  const got: Delivery[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  return {
    got,
    handle(message: Delivery): void {
      got.push(message);
      for (const { count, resolve } of waiting) if (got.length >= count) resolve();
    },
    has: (count: number): Promise<void> =>
      new Promise((resolve) => {
        if (got.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
  };
}

/** Sets the stage for the tests of the describe that it is called in. */
export function setStage(make: () => Promise<BusRig>): BusStage {
  let rig: BusRig;
  let errors: CortexError[];
  let subject: string;
  let clients: BusConnection[];
  beforeAll(async () => {
    rig = await make();
  });
  beforeEach(() => {
    errors = [];
    clients = [];
    subject = `t.${randomUUID()}`;
  });
  afterEach(async () => {
    for (const client of clients) await client.close();
    await until(async () => (await rig.subscriptions()) === 0, { message: 'every subscription to be gone' });
  });
  afterAll(async () => {
    await rig.stop();
  });
  return {
    get rig() {
      return rig;
    },
    get errors() {
      return errors;
    },
    get subject() {
      return subject;
    },
    async connect(options = {}) {
      const onError = (error: CortexError): void => void errors.push(error);
      const client = await rig.connect({ name: 'contract', onError, deadlineMs: 2_000, ...options });
      clients.push(client);
      return client;
    },
    message: (text, more = {}) => ({ subject, data: bytes(text), ...more }),
  };
}
