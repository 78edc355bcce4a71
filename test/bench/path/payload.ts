// What every job of the benchmark carries, the same for everybody: about 200 bytes of JSON in, the same again in the result.

/** 160 characters. */
export const prompt = 'Review the change and say in one sentence what it does. '.repeat(3).slice(0, 160);

/** The body of a submission over HTTP. */
export const httpBody = JSON.stringify({ topic: 'job.echo', prompt });

/** The payload as our gateway stores it, for doors at which the client brings the payload itself. */
export const payload = {
  prompt,
  adapter_id: '',
  priority: '',
  topic: 'job.echo',
  created_at: '2026-01-02T03:04:05Z',
  tenant_id: 'default',
};
