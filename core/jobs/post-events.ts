// Puts the steps that a store reports onto the bus: one message per tenant and call, a JSON array of JobEvent on `cortex.ev.<tenant>`.
// News alone: the tenant's stream in the store has every step.
import type { Publication } from '#core/bus/bus.ts';
import { isSubjectToken, tenantEvents } from '#core/protocol/subjects.ts';
import type { JobEvent } from './job.ts';

/** For a store's `onEvents`. Never throws; a tenant whose name no subject can carry has no news. */
export function postEvents(post: (message: Publication) => void): (events: readonly JobEvent[]) => void {
  const encoder = new TextEncoder();
  return (events) => {
    for (const [tenant, own] of Map.groupBy(events, (event) => event.tenant)) {
      if (isSubjectToken(tenant)) post({ subject: tenantEvents(tenant), data: encoder.encode(JSON.stringify(own)) });
    }
  };
}
