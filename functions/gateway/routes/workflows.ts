// Runs of workflows: how one went, a signal for one, and one again from a step.
import { CortexError } from '#core/errors.ts';
import { readJson } from '#core/http/body.ts';
import { HttpError } from '#core/http/errors.ts';
import { isJobId } from '#core/jobs/job.ts';
import { isEnd } from '#core/jobs/state.ts';
import { isSubjectToken, tenantSignals } from '#core/protocol/subjects.ts';
import { unwrap } from '#core/result.ts';
import { maxSignalBytes } from '#core/workflow/journal.ts';
import { type Line, parseLine, type Seed } from '#core/workflow/lines.ts';
import { rerunFrom } from '#core/workflow/rerun.ts';
import { isSignalName, workflowPrefix } from '#core/workflow/run.ts';
import { timelineOf } from '#core/workflow/timeline.ts';
import { z } from 'zod';
import { answer } from '../../http/answer.ts';
import { line, parseFields } from '../../http/fields.ts';
import type { Identity } from '../../http/keyring.ts';
import { noQuery, readQuery } from '../../http/query.ts';
import { hasRole, mayCancel } from '../../http/roles.ts';
import type { AppContext, Route } from '../../http/route.ts';
import { notFound } from '../cancel-job.ts';
import type { GatewayDeps } from '../deps.ts';
import { idempotencyHeader, idempotencyKey, replayedHeader } from '../idempotency.ts';
import { requestOfRun } from '../rerun-request.ts';
import type { SubmitJobs } from '../submit-job.ts';
import { workflowDetail } from '../workflow-view.ts';

export interface WorkflowRouteDeps extends Pick<GatewayDeps, 'store' | 'journal' | 'redis' | 'keys' | 'post' | 'log'> {
  readonly submitJob: SubmitJobs;
}

/** Steps that one line of a seed names: a line has to fit into a request. */
const keptInLine = 500;

function seedLines({ kept, owed, ...about }: Seed): readonly string[] {
  const lines = [JSON.stringify({ ...about, kept: kept.slice(0, keptInLine), owed: owed.slice(0, keptInLine) })];
  for (let i = keptInLine; i < Math.max(kept.length, owed.length); i += keptInLine) {
    const part = { kept: kept.slice(i, i + keptInLine), owed: owed.slice(i, i + keptInLine) };
    lines.push(JSON.stringify({ ...about, ...part }));
  }
  return lines;
}

const rerunBody = z.strictObject({ from: line(40) });

/** Children of a run that are asked about at once: those that its journal does not know the end of. */
const mostAsked = 200;

export function workflowRoutes(deps: WorkflowRouteDeps): readonly Route[] {
  const { store, journal, redis, keys, post, submitJob, log } = deps;

  /** The run's job and its lines. Throws `not_found` for a job that is no workflow, too. */
  const read = async (identity: Identity, id: string) => {
    const { tenant } = identity;
    if (!isJobId(id)) throw notFound();
    const [job, texts] = await Promise.all([store.view(id, tenant), journal.lines({ id, tenant })]);
    if (job === undefined || texts === undefined || !job.topic.startsWith(workflowPrefix)) throw notFound();
    return { job, lines: texts.map(parseLine) };
  };

  const get = async (c: AppContext): Promise<Response> => {
    readQuery(c, noQuery);
    const identity = c.get('identity');
    const { job, lines } = await read(identity, c.req.param('id') ?? '');
    const timeline = timelineOf(job.id, lines);
    const open = timeline.steps.flatMap(({ attempts }) => attempts.filter(({ state }) => state === undefined));
    const asked = open.slice(0, mostAsked).map(({ jobId: id }) => ({ id }));
    const { jobs } = asked.length === 0 ? { jobs: [] } : await store.standing(identity.tenant, asked);
    const children = new Map(jobs.flatMap((one) => (one === undefined ? [] : [[one.job.id, one.job] as const])));
    return answer(c, workflowDetail(job, timeline, children));
  };

  const signal = async (c: AppContext): Promise<Response> => {
    readQuery(c, noQuery);
    const identity = c.get('identity');
    const { tenant } = identity;
    const [id, name] = [c.req.param('id') ?? '', c.req.param('name') ?? ''];
    if (!isJobId(id)) throw notFound();
    if (!isSignalName(name)) {
      const problem = 'name: must be 1 to 64 of letters, digits, ".", "_" and "-"';
      throw new CortexError('invalid_argument', problem, { field: 'name' });
    }
    const key = idempotencyKey(c.req.header(idempotencyHeader));
    const value = JSON.stringify(await readJson(c.req.raw));
    if (new TextEncoder().encode(value).length > maxSignalBytes) {
      throw new CortexError('out_of_range', `body: a signal has at most ${maxSignalBytes} bytes`, { field: 'body' });
    }
    if (!hasRole(identity, 'operator')) {
      const job = await store.view(id, tenant);
      if (job === undefined) throw notFound();
      if (!mayCancel(identity, job.principal)) {
        throw new CortexError('permission_denied', 'a submitter sends signals to its own runs alone');
      }
    }
    const sent = await journal.send({ id, tenant, name, value, key: key === '' ? '' : `${identity.principal} ${key}` });
    switch (sent) {
      case 'noted':
        if (isSubjectToken(tenant)) post({ subject: tenantSignals(tenant), data: new TextEncoder().encode(id) });
        log.info('a signal', { job_id: id, tenant, signal: name, principal: identity.principal });
        return answer(c, { id, signal: name }, 202);
      case 'known':
        return answer(c, { id, signal: name }, 202, { [replayedHeader]: 'true' });
      case 'ended':
        throw new HttpError(409, 'failed_precondition', 'the run has ended');
      case 'full':
        throw new CortexError('resource_exhausted', 'the run has as many signals as a run may have');
      case 'missing':
      case 'other':
        throw notFound();
    }
  };

  /** The steps whose results are there still: one whose result has run out is done again, like one that was not kept. */
  const stillThere = async (tenant: string, kept: Seed['kept'], lines: readonly Line[]): Promise<readonly string[]> => {
    const pointers = new Map(lines.flatMap((one) => (one.t === 'end' && one.p !== undefined ? [[one.id, one.p]] : [])));
    const there = await journal.there(
      tenant,
      kept.map(({ id }) => pointers.get(id) ?? ''),
    );
    return kept.flatMap(({ k }, i) => (there[i] === true ? [k] : []));
  };

  const rerun = async (c: AppContext): Promise<Response> => {
    readQuery(c, noQuery);
    const identity = c.get('identity');
    const { tenant, principal } = identity;
    const { from } = parseFields(rerunBody, await readJson(c.req.raw));
    const { job, lines } = await read(identity, c.req.param('id') ?? '');
    if (!mayCancel(identity, job.principal)) {
      throw new CortexError('permission_denied', 'a submitter runs its own runs again alone');
    }
    if (!isEnd(job.state)) throw new HttpError(409, 'failed_precondition', 'the run has not ended');
    const { seed, signals } = unwrap(rerunFrom(job.id, lines, from));
    const payload = await redis.get(`${keys.prefix(keys.ofTenant(tenant))}ctx:${job.id}`);
    if (payload === null)
      throw new HttpError(409, 'failed_precondition', 'the payload of the run is not kept any more');
    const kept = await stillThere(tenant, seed.kept, lines);
    const sent = signals.length === 0 ? [] : await journal.signals({ id: job.id, tenant, from: 0 });
    const { jobId, traceId, replayed } = await submitJob({
      ...{ tenant, principal, sender: 'api-gateway-http' },
      idempotencyKey: idempotencyKey(c.req.header(idempotencyHeader)),
      fingerprint: () => JSON.stringify([job.id, from]),
      build: () => ({ request: requestOfRun(job, lines), payload: JSON.parse(payload) as unknown }),
      // Its memory is there before it is.
      onId: (id) => {
        const early = signals.flatMap((i) => sent[i] ?? []);
        return journal.seed({ id, tenant, lines: seedLines(seed), signals: early });
      },
      onNone: (id) =>
        journal.unseed({ id, tenant }).catch((error: unknown) => {
          log.debug('a seed that is of no use stays for some minutes', { job_id: id, tenant, error });
        }),
    });
    const headers = { location: `/api/v1/workflows/${jobId}`, ...(replayed && { [replayedHeader]: 'true' }) };
    return answer(c, { job_id: jobId, trace_id: traceId, kept }, 202, headers);
  };

  const path = '/api/v1/workflows/{id}';
  return [
    { method: 'GET', path, role: 'viewer', handle: get },
    { method: 'POST', path: `${path}/signals/{name}`, role: 'submitter', handle: signal },
    { method: 'POST', path: `${path}/rerun`, role: 'submitter', handle: rerun },
  ];
}
