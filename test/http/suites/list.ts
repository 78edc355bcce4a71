// GET /api/v1/jobs: the original's array without a query, pages with one; filters and cursor over more jobs than fit a page.
import { beforeAll, describe, expect, test } from 'vitest';
import { allow, finish, json, start, submitted } from '../drive.ts';
import { expectProblem } from '../expect-problem.ts';
import { gatewayFor, type MakeGateway } from '../under-test.ts';

type Item = Record<string, unknown>;
interface Page {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

const total = 120;

export function testList(make: MakeGateway): void {
  describe('GET /api/v1/jobs', () => {
    const gateway = gatewayFor(make);
    const ids: string[] = [];
    let traced = '';

    const page = async (query: string): Promise<Page> => {
      const response = await gateway().request(`/api/v1/jobs?${query}`);
      expect(response.status).toBe(200);
      return (await response.json()) as Page;
    };
    const everyPage = async (query: string): Promise<Item[]> => {
      const all: Item[] = [];
      let cursor: string | null = '';
      for (let pages = 0; cursor !== null; pages++) {
        expect(pages).toBeLessThan(200);
        const next: Page = await page(`${query}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
        all.push(...next.items);
        cursor = next.next_cursor;
      }
      return all;
    };
    const idsOf = (items: readonly Item[]): unknown[] => items.map((item) => item['id']);

    test('is an empty array before the first job', async () => {
      const response = await gateway().request('/api/v1/jobs');
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      expect(await response.json()).toEqual([]);
    });

    describe(`with ${total} jobs`, () => {
      beforeAll(async () => {
        for (let i = 0; i < total; i++) {
          const topic = i % 3 === 0 ? 'job.echo' : 'job.chat.simple';
          const made = await submitted(gateway(), { prompt: `${i}`, topic });
          ids.unshift(made.job_id);
          if (i === 5) traced = made.trace_id;
        }
        await allow(gateway(), ids[0] as string, 'default');
        await finish(gateway(), await start(gateway(), ids[1] as string));
      });

      test('answers the newest fifty as an array, empty texts left out', async () => {
        const items = (await (await gateway().request('/api/v1/jobs')).json()) as Item[];
        expect(idsOf(items)).toEqual(ids.slice(0, 50));
        const plain = items[2] as Item;
        expect(plain).toEqual({
          ...{ id: ids[2], updated_at: expect.any(Number), state: 'PENDING', tenant: 'default' },
          ...{ topic: 'job.echo', trace_id: expect.any(String), principal_id: 'local' },
        });
        expect(items[0]).toMatchObject({
          state: 'SCHEDULED',
          safety_decision: 'ALLOW',
          safety_reason: 'fine by the test',
        });
      });

      test('with a limit it is a page with a cursor', async () => {
        const first = await page('limit=7');
        expect(idsOf(first.items)).toEqual(ids.slice(0, 7));
        expect(first.next_cursor).toEqual(expect.any(String));
      });

      test.each([1, 7, 50, 120, 200])('pages of %i give every job once, newest first', async (limit) => {
        expect(idsOf(await everyPage(`limit=${limit}`))).toEqual(ids);
      });

      test('jobs that come meanwhile do not shift the pages', async () => {
        const first = await page('limit=60');
        const late = await submitted(gateway());
        const second = await page(`limit=60&cursor=${encodeURIComponent(first.next_cursor ?? '')}`);
        expect(idsOf([...first.items, ...second.items])).toEqual(ids);
        ids.unshift(late.job_id);
      });

      test('filters by state, in any case', async () => {
        expect(idsOf(await everyPage('state=succeeded'))).toEqual(ids.filter((_, i) => i === 2));
        expect(idsOf(await everyPage('state=SCHEDULED&limit=1'))).toHaveLength(1);
        expect(await everyPage('state=PENDING&limit=13')).toHaveLength(total - 1);
        expect(await everyPage('state=DENIED')).toEqual([]);
      });

      test('filters by topic', async () => {
        const echo = await everyPage('topic=job.echo&limit=9');
        expect(echo).toHaveLength(40);
        expect(new Set(echo.map((item) => item['topic']))).toEqual(new Set(['job.echo']));
      });

      test('filters by trace', async () => {
        const found = await everyPage(`trace_id=${traced}`);
        expect(found).toHaveLength(1);
        expect(found[0]).toMatchObject({ trace_id: traced });
      });

      test('filters by time of change', async () => {
        const now = Math.floor(Date.now() / 1000);
        expect(await everyPage(`updated_after=${now + 60}`)).toEqual([]);
        expect(await everyPage(`updated_before=${now - 3600}`)).toEqual([]);
        expect(await everyPage(`updated_after=${now - 3600}&updated_before=${now + 60}`)).toHaveLength(total + 1);
      });

      test('filters together', async () => {
        expect(await everyPage('state=SUCCEEDED&topic=job.none')).toEqual([]);
      });

      test('the own tenant may be named', async () => {
        expect(idsOf((await page('tenant=default&limit=3')).items)).toEqual(ids.slice(0, 3));
      });
    });

    test.each([
      ['limit=0', 'limit'],
      ['limit=201', 'limit'],
      ['limit=ten', 'limit'],
      ['limit=', 'limit'],
      ['state=LOST', 'state'],
      ['cursor=', 'cursor'],
      ['cursor=nonsense', 'cursor'],
      ['topic=', 'topic'],
      ['trace_id=a%20b', 'trace_id'],
      ['tenant=a%2Fb', 'tenant'],
      ['updated_after=yesterday', 'updated_after'],
      ['updated_before=-5', 'updated_before'],
      ['updated_after=20&updated_before=10', 'updated_before'],
      ['team=red', 'team'],
      ['nonsense=1', 'nonsense'],
      ['limit=1&limit=2', 'limit'],
    ])('%s is refused', async (query, field) => {
      await expectProblem(await gateway().request(`/api/v1/jobs?${query}`), 400, { code: 'invalid_argument', field });
    });

    test('every wrong parameter is named at once', async () => {
      const query =
        'nonsense=1&limit=1&limit=2&state=LOST&cursor=x&team=red&updated_after=20&updated_before=10&__proto__=1';
      const body = await expectProblem(await gateway().request(`/api/v1/jobs?${query}`), 400, {
        code: 'invalid_argument',
      });
      const errors = body['errors'] as { field: string; detail: string }[];
      expect(Object.fromEntries(errors.map(({ field, detail }) => [field, detail]))).toEqual(
        Object.fromEntries([
          ...['nonsense', 'team', '__proto__'].map((name) => [name, 'is not a parameter of this route']),
          ['limit', 'is given more than once'],
          ['state', 'is not the name of a state'],
          ['cursor', 'is not one that a page answered'],
          ['updated_before', 'lies before updated_after'],
        ]),
      );
    });

    test.each([
      ['GET', '/api/v1/jobs/nothing', 'wait=0&waits=1', 'waits'],
      ['GET', '/api/v1/jobs/nothing', 'wait=0&wait=1', 'wait'],
      ['POST', '/api/v1/jobs', 'waits=1', 'waits'],
      ['POST', '/api/v1/jobs/nothing/cancel', 'force=1', 'force'],
      ['POST', '/api/v1/repo-review', 'limit=1', 'limit'],
      ['GET', '/api/v1/traces/t', 'limit=1', 'limit'],
      ['GET', '/api/v1/workers', 'pool=a', 'pool'],
    ])('%s %s refuses ?%s', async (method, path, query, field) => {
      const init = method === 'GET' ? {} : { method, body: '{}' };
      await expectProblem(await gateway().request(`${path}?${query}`, init), 400, { code: 'invalid_argument', field });
    });

    test('the health of the gateway does not hang on a query', async () => {
      expect((await gateway().request('/health?_=1')).status).toBe(200);
    });

    test('a page without anything has no cursor', async () => {
      expect(await json(await gateway().request('/api/v1/jobs?state=TIMEOUT'))).toEqual({
        items: [],
        next_cursor: null,
      });
    });
  });
}
