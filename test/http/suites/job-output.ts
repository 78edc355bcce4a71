// The text of a job in its events: whole, in order, once, from wherever a client was; and the end after all of it.
import { describe, expect, test } from 'vitest';
import type { HandOut } from '#core/jobs/store.ts';
import { createRandom } from '../../helpers/random.ts';
import { accept, dispatch, finish, start, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { as, keyEntries } from '../keys.ts';
import { readSse, type SseEvent, type SseReader } from '../sse.ts';
import { gatewayFor, type GatewayUnderTest, type MakeGateway } from '../under-test.ts';

const path = (id: string, query = ''): string => `/api/v1/jobs/${id}/events${query}`;
const bytes = (text: string): number => new TextEncoder().encode(text).length;

/** Gives out text as the host of a worker does; answers how many bytes there are then. */
async function give(gateway: GatewayUnderTest, job: HandOut, at: number, text: string): Promise<number> {
  const { id, tenant, fence, attempt } = job;
  expect(await gateway.store.output([{ id, tenant, fence, attempt, at, text }])).toEqual(['ok']);
  return at + bytes(text);
}

/** What a client has put together: as documented, offset 0 begins anew. */
function client() {
  const state = { text: '', attempt: 0, steps: [] as string[], ended: false };
  return {
    ...state,
    take(this: typeof state, { event, data }: SseEvent): void {
      if (event === 'output') {
        const offset = Number(data['offset']);
        if (offset === 0) this.text = '';
        else expect([offset, data['attempt']]).toEqual([this.text.length, this.attempt]);
        this.attempt = Number(data['attempt']);
        this.text += String(data['text']);
      } else if (event === 'state' || event === 'end') this.steps.push(String(data['state']));
      if (event === 'end') this.ended = true;
    },
  };
}

export function testJobOutput(make: MakeGateway): void {
  describe('output of a job', () => {
    const gateway = gatewayFor(make, { keys: keyEntries });
    const mine = as('submitter');
    const follow = async (id: string, query = '', headers: Record<string, string> = {}): Promise<SseReader> =>
      readSse(await gateway().request(path(id, query), { headers: { ...mine, ...headers } }));
    const running = async (): Promise<HandOut> => {
      const { job_id } = await submitted(gateway(), {}, mine);
      return start(gateway(), job_id);
    };
    const text = Array.from({ length: 400 }, (_, i) => `${i}: é \u{1F600} "quoted"\n`).join('');

    test('is told as it comes, with its offset, and the end after it', async () => {
      const job = await running();
      const events = await follow(job.id, '?cursor=');
      let at = await give(gateway(), job, 0, 'Hel');
      expect(await events.next()).toEqual({
        event: 'output',
        id: expect.stringMatching(/^\d+-\d+~\d+\.3\.3$/) as unknown,
        data: { job_id: job.id, attempt: 1, offset: 0, text: 'Hel' },
      });
      at = await give(gateway(), job, at, 'lo \u{1F600}');
      expect(await events.next()).toMatchObject({ event: 'output', data: { offset: 3, text: 'lo \u{1F600}' } });
      await give(gateway(), job, at, '!');
      await finish(gateway(), job, { result: '{"n":1}' });
      const rest = await events.rest();
      expect(rest.map(({ event }) => event)).toEqual(['output', 'end']);
      expect(rest[0]?.data).toMatchObject({ offset: 8, text: '!' });
      const seen = { 'Last-Event-ID': events.lastId };
      expect((await gateway().request(path(job.id), { headers: { ...mine, ...seen } })).status).toBe(204);
    });

    test('is there for who comes after the end, and goes on from any piece of it', async () => {
      const job = await running();
      const long = text.repeat(20);
      for (let at = 0, i = 0; i < 20; i++) at = await give(gateway(), job, at, text);
      await finish(gateway(), job);
      const whole = await follow(job.id);
      const ids: string[] = [];
      const one = client();
      for (let event = await whole.next(); event !== undefined; event = await whole.next()) {
        one.take(event);
        if (event.event === 'output') ids.push(event.id ?? '');
      }
      expect(one.text === long).toBe(true);
      expect(one.steps).toEqual(['PENDING', 'SCHEDULED', 'DISPATCHED', 'RUNNING', 'SUCCEEDED']);
      expect(ids.length).toBeGreaterThan(2);
      const other = client();
      for (let lastId = '', turns = 0; !other.ended; turns++) {
        expect(turns).toBeLessThan(50);
        const part = await follow(job.id, '', lastId === '' ? {} : { 'Last-Event-ID': lastId });
        // Breaks off behind each piece.
        for (let event = await part.next(); event !== undefined; event = await part.next()) {
          other.take(event);
          if (event.event === 'output') break;
        }
        ({ lastId } = part);
        await part.cancel();
      }
      expect(other.text === long).toBe(true);
      expect(other.steps).toEqual(one.steps);
    });

    test('a client that breaks off anywhere goes on with nothing missing and nothing twice', async () => {
      const random = createRandom(7);
      const { job_id } = await submitted(gateway(), {}, mine);
      const one = client();
      const following = (async () => {
        for (let lastId = ''; !one.ended; ) {
          const query = random.chance(0.5) && lastId !== '' ? `?cursor=${encodeURIComponent(lastId)}` : '';
          const headers: Record<string, string> = query === '' && lastId !== '' ? { 'Last-Event-ID': lastId } : {};
          const part = await follow(job_id, query, headers);
          const events = 1 + random.below(4);
          let seen = lastId;
          for (let n = 0; n < events && !one.ended; n++) {
            const event = await part.next();
            if (event === undefined) break;
            // What has no id is told again to who breaks off there.
            if (lastId === '' && part.lastId === '') {
              n--;
              if (event.event === 'state') one.take(event);
              continue;
            }
            one.take(event);
            seen = part.lastId;
          }
          lastId = seen;
          await part.cancel();
        }
      })();
      const job = await start(gateway(), job_id);
      let at = 0;
      for (let from = 0; from < text.length; ) {
        const piece = text.slice(from, from + 700 + random.below(700)).toWellFormed();
        const whole = piece.endsWith('\uFFFD') ? piece.slice(0, -1) : piece;
        at = await give(gateway(), job, at, whole);
        from += whole.length;
      }
      await finish(gateway(), job);
      await following;
      expect(one.text === text).toBe(true);
      expect(one.steps.filter((state, i) => one.steps.indexOf(state) === i)).toEqual(one.steps);
      expect(one.steps.at(-1)).toBe('SUCCEEDED');
    });

    test('is begun anew by another attempt, whatever the cursor says', async () => {
      const first = await running();
      const { id, tenant, fence } = first;
      const events = await follow(id);
      await give(gateway(), first, 0, 'of the first');
      const one = client();
      while (one.text === '') one.take((await events.next()) as SseEvent);
      await gateway().store.requeue([{ id, tenant, seen: { state: 'RUNNING', fence }, why: 'lost', delayMs: 0 }]);
      const second = await dispatch(gateway(), id, 'job.chat.simple');
      await accept(gateway().store, second);
      await give(gateway(), second, 0, 'of the second');
      const again = await follow(id, '', { 'Last-Event-ID': events.lastId });
      await finish(gateway(), second);
      for (const reader of [events, again]) {
        const told = client();
        for (const event of await reader.rest()) told.take(event);
        expect([told.text, told.attempt, told.ended]).toEqual(['of the second', 2, true]);
        await reader.cancel();
      }
    });

    test('from now on is what comes from now on', async () => {
      const job = await running();
      const at = await give(gateway(), job, 0, 'before é');
      const events = await follow(job.id, '?cursor=$');
      await give(gateway(), job, at, ', after');
      expect(await events.next()).toMatchObject({ event: 'output', data: { offset: 8, text: ', after' } });
      await finish(gateway(), job);
      expect((await events.rest()).map(({ event }) => event)).toEqual(['end']);
    });

    test('a plain cursor of before is one of who has no text yet', async () => {
      const job = await running();
      const [step] = (await gateway().store.events('default', '', 10_000)).filter((e) => e.job === job.id);
      await give(gateway(), job, 0, 'all of it');
      await finish(gateway(), job);
      const events = await (await follow(job.id, `?cursor=${step?.id}`)).rest();
      expect(events.map(({ event }) => event)).toEqual(['state', 'state', 'state', 'output', 'end']);
      expect(events[3]?.data).toMatchObject({ offset: 0, text: 'all of it' });
    });

    test('nobody else gets any of it', async () => {
      const job = await running();
      await give(gateway(), job, 0, 'a secret');
      const response = await gateway().request(path(job.id), { headers: as('viewer', 'rival') });
      const body = await response.clone().text();
      expect(body).not.toContain('secret');
      await expectProblem(response, 404, { detail: 'job not found' });
      await finish(gateway(), job);
    });

    test.each(['1-1~', '1-1~1.2', '1-1~1.2.x', '1-1~1.2.3~f', '~1.2.3', '0~1.2.3', '1-1~1.2.3~e~e', '1-1~-1.2.3'])(
      'cursor %s is refused',
      async (cursor) => {
        const { job_id } = await submitted(gateway(), {}, mine);
        const answer = await gateway().request(path(job_id, `?cursor=${encodeURIComponent(cursor)}`), {
          headers: mine,
        });
        await expectProblem(answer, 400, { field: 'cursor' });
      },
    );
  });
}
