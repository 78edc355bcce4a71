// A publisher for one request in a runtime where no connection may outlive it: what is posted in one turn leaves together, at once, and
// the runtime is asked to let that finish after the answer.
import { afterTick } from '#core/coalesce.ts';
import { type CortexError, toCortexError } from '#core/errors.ts';
import type { Bus, Publication, Publisher } from './bus.ts';

export interface RequestPublisherOptions {
  readonly publish: Bus['publish'];
  /** Keeps the request's context alive until this is settled. */
  readonly waitUntil: (work: Promise<void>) => void;
  /** Told of news that could not be published. */
  readonly onError: (error: CortexError) => void;
}

/** News that is lost costs time, never a job. */
export function createRequestPublisher({ publish, waitUntil, onError }: RequestPublisherOptions): Publisher {
  let posted: Publication[] = [];
  const send = async (): Promise<void> => {
    await new Promise<void>((resolve) => afterTick(resolve));
    const messages = posted;
    posted = [];
    await publish(messages).catch((error: unknown) => onError(toCortexError(error)));
  };
  return {
    post(message) {
      posted.push(message);
      if (posted.length === 1) waitUntil(send());
    },
  };
}
