// GET /api/v1/jobs/{id}/recording: what the job's newest recorded attempt said to models and heard, with what it worked on and came to.
import { CortexError } from '#core/errors.ts';
import { isJobId } from '#core/jobs/job.ts';
import { parseRecording } from '#core/model/recording.ts';
import { answer } from '../../http/answer.ts';
import { noQuery, readQuery } from '../../http/query.ts';
import type { AppContext, Route } from '../../http/route.ts';
import { notFound } from '../cancel-job.ts';
import type { GatewayDeps } from '../deps.ts';

export function recordingRoutes({ store }: Pick<GatewayDeps, 'store'>): readonly Route[] {
  const get = async (c: AppContext): Promise<Response> => {
    readQuery(c, noQuery);
    const id = c.req.param('id') ?? '';
    const found = isJobId(id) ? await store.recording(id, c.get('identity').tenant) : undefined;
    if (found === undefined) throw notFound();
    const { job, payload, result, recording } = found;
    if (recording === null) {
      const how = 'submit it with "record": true to a worker without MODEL_RECORD=off, or set MODEL_RECORD=all there';
      throw new CortexError('not_found', `the job has no recording (any more): ${how}`);
    }
    const read = parseRecording(recording);
    if (!read.ok) throw new CortexError('data_loss', 'the recording cannot be read', { cause: new Error(read.error) });
    const { state, errorCode: error_code, errorMessage: error_message } = job;
    // Payload and result are texts: a replay is compared byte for byte.
    return answer(c, { id, state, error_code, error_message, payload, result, ...read.value });
  };
  return [{ method: 'GET', path: '/api/v1/jobs/{id}/recording', role: 'viewer', handle: get }];
}
