// Submits over HTTP, to our gateway or to the peer's route: they take the same body and the same `?wait=`.
import { openConnection, type RawConnection } from './raw-http.ts';
import type { Client, Target } from './client.ts';

/** How the store is looked at is the system's own affair. */
export type StoreLook = Pick<Client, 'done' | 'verify' | 'close'>;

interface Job {
  readonly job_id: string;
  readonly state?: string;
  readonly result?: unknown;
}

export async function connectHttpClient({ httpUrl, lanes }: Target, body: string, look: StoreLook): Promise<Client> {
  const connections = await Promise.all(Array.from({ length: lanes }, () => openConnection(httpUrl)));
  const post = async (lane: number, path: string, expected: number): Promise<Job> => {
    const connection: RawConnection | undefined = connections[lane];
    if (connection === undefined) throw new RangeError(`lane ${lane}`);
    const answer = await connection.post(path, body);
    if (answer.status !== expected) throw new Error(`${answer.status}: ${answer.body}`);
    return JSON.parse(answer.body) as Job;
  };
  return {
    async roundTrip(lane) {
      const job = await post(lane, '/api/v1/jobs?wait=30', 200);
      if (job.state !== 'SUCCEEDED' || typeof job.result !== 'object') throw new Error(JSON.stringify(job));
      return job.job_id;
    },
    submit: async (lane) => (await post(lane, '/api/v1/jobs', 202)).job_id,
    done: look.done,
    verify: look.verify,
    async close() {
      for (const connection of connections) connection.close();
      await look.close();
    },
  };
}
