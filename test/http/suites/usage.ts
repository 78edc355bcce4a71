// GET /api/v1/usage: what the tenant's jobs asked of models, by day and model.
import { beforeAll, describe, expect, test } from 'vitest';
import type { Metered } from '#core/jobs/store.ts';
import { dayAfter, dayOf } from '#core/jobs/usage.ts';
import { json } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { as, keyEntries } from '../keys.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

export function testUsage(make: MakeGateway): void {
  describe('GET /api/v1/usage', () => {
    const gateway = gatewayFor(make, { keys: keyEntries });
    const get = (query = '', headers = as('viewer')): Promise<Response> =>
      gateway().request(`/api/v1/usage${query}`, { headers });
    const of = (number: number, more: Partial<Metered> = {}): Metered => ({
      ...{ id: 'some-job', tenant: 'default', attempt: 'a1', number, model: 'fast' },
      ...{ usage: { inputTokens: 11, outputTokens: 7 }, cost: 81_000, ...more },
    });
    /** Not the day of the test's beginning: midnight may be in between. */
    let first = '';
    beforeAll(async () => {
      first = dayOf(Date.now());
      const { store } = gateway();
      await store.meter([of(1), of(2), of(3, { usage: undefined, cost: undefined })]);
      await store.meter([of(4, { model: 'local', cost: undefined }), of(5, { tenant: 'rival', cost: 9 })]);
    });

    test('sums by model, what nobody told and what has no price apart, and all together', async () => {
      const answer = await json(await get(`?from=${first}`));
      const { date } = (answer['items'] as { date: string }[])[0] ?? { date: '' };
      expect(answer).toEqual({
        from: first,
        to: dayOf(Date.now()),
        items: [
          {
            ...{ date, model: 'fast', requests: 3, unmetered_requests: 1, unpriced_requests: 0 },
            ...{ input_tokens: 22, output_tokens: 14, cost: 0.000_162 },
          },
          {
            ...{ date, model: 'local', requests: 1, unmetered_requests: 0, unpriced_requests: 1 },
            ...{ input_tokens: 11, output_tokens: 7, cost: null },
          },
        ],
        totals: {
          ...{ requests: 4, unmetered_requests: 1, unpriced_requests: 1 },
          ...{ input_tokens: 33, output_tokens: 21, cost: 0.000_162 },
        },
      });
      expect([first, dayOf(Date.now())]).toContain(date);
    });

    test('shows 30 days up to today, or up to the last day that is asked for', async () => {
      const today = dayOf(Date.now());
      const answer = await json(await get());
      expect([dayAfter(today, -29), dayAfter(today, -28)]).toContain(answer['from']);
      expect(answer['items']).toHaveLength(2);
      const nothing = { requests: 0, cost: null };
      expect(await json(await get('?to=2024-03-01'))).toMatchObject({
        ...{ from: '2024-02-01', to: '2024-03-01', items: [], totals: nothing },
      });
      expect(await json(await get(`?from=2024-02-29&to=2025-04-03`))).toMatchObject({ items: [], totals: nothing });
    });

    test('of one model alone', async () => {
      const answer = await json(await get('?model=local'));
      expect(answer).toMatchObject({ items: [{ model: 'local' }], totals: { requests: 1, cost: null } });
      expect(await json(await get('?model=none'))).toMatchObject({ items: [], totals: { requests: 0 } });
    });

    test('of the own tenant; an administrator may act for another', async () => {
      expect(await json(await get('', as('viewer', 'rival')))).toMatchObject({
        items: [{ model: 'fast', requests: 1, cost: 9e-9 }],
      });
      const header = { ...as('admin', 'rival'), 'X-Cortex-Tenant': 'default' };
      expect(await json(await get('', header))).toMatchObject({ totals: { requests: 4 } });
      const viewer = { ...as('viewer', 'rival'), 'X-Cortex-Tenant': 'default' };
      await expectProblem(await get('', viewer), 403);
    });

    test.each([
      ['?from=yesterday', 'from'],
      ['?from=2026-02-29', 'from'],
      ['?from=2026-1-1', 'from'],
      ['?from=', 'from'],
      ['?from=9999-01-01', 'from'],
      ['?to=2026-13-01', 'to'],
      ['?from=2026-01-02&to=2026-01-01', 'to'],
      ['?from=2024-02-28&to=2025-04-03', 'from'],
      ['?model=A%20b', 'model'],
      ['?tenant=rival', 'tenant'],
      ['?to=2026-01-01&to=2026-01-01', 'to'],
    ])('refuses %s, naming %s', async (query, field) => {
      await expectProblem(await get(query), 400, { field });
    });
  });
}
