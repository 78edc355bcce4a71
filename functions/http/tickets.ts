// Tickets for browsers, whose WebSocket and EventSource send no header: one ticket opens one stream, within a minute, as whoever asked
// for it. Redis holds its digest alone, and one script takes it out, so that it opens once however many gateways there are.
import { z } from 'zod';
import { CortexError } from '#core/errors.ts';
import { keyDigest, roles } from '#core/http/api-keys.ts';
import { type Redis, script } from '#core/redis/redis.ts';
import type { Identity } from './keyring.ts';

export interface Tickets {
  /** A new ticket. Throws what Redis throws. */
  issue(identity: Identity): Promise<Ticket>;
  /** Who asked for it; it is used up. Throws CortexError `unauthenticated` for what is not a ticket, or not any more. */
  redeem(ticket: string): Promise<Identity>;
}

export interface Ticket {
  readonly ticket: string;
  readonly expiresInMs: number;
}

export const ticketMs = 60_000;

const pattern = /^ticket_[A-Za-z0-9_-]{43}$/;

// KEYS[1]: the ticket. What it stands for, once.
const take = script(
  'take-ticket',
  /* lua */ `local v=redis.call('GET',KEYS[1]) if v then redis.call('DEL',KEYS[1]) end return v`,
);

const stored = z.object({ keyId: z.string(), tenant: z.string(), principal: z.string(), role: z.enum(roles) });

export function createTickets(redis: Pick<Redis, 'set' | 'run'>): Tickets {
  const keyOf = (ticket: string): string => `ticket:${keyDigest(ticket)}`;
  return {
    async issue({ keyId, tenant, principal, role }) {
      const digits = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
      const ticket = `ticket_${digits.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
      const value = JSON.stringify({ keyId, tenant, principal, role });
      await redis.set(keyOf(ticket), value, { ttlMs: ticketMs });
      return { ticket, expiresInMs: ticketMs };
    },
    async redeem(ticket) {
      const reply = pattern.test(ticket) ? await redis.run(take, [keyOf(ticket)], []) : null;
      if (typeof reply === 'string') return stored.parse(JSON.parse(reply));
      throw new CortexError('unauthenticated', 'the ticket is not known: it opens one stream, within 60 seconds', {
        field: 'ticket',
      });
    },
  };
}
