// Events as packets: what a client of the original would have seen, and nothing else.
import { create } from '@bufbuild/protobuf';
import { TimestampSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import type { JobEvent, JobView } from '#core/jobs/job.ts';
import { endStates, states } from '#core/jobs/state.ts';
import { encodePacket, jobRequestPacket } from '#core/protocol/envelope.ts';
import { packetJson, packetNeeds, packetOfEvent } from '#core/protocol/event-packet.ts';

const ts = 1_700_000_000_123;
const event = (state: JobEvent['state'], more: Partial<JobEvent> = {}): JobEvent => ({
  ...{ id: '1-0', prev: '', tenant: 't', job: 'j', state, fence: '0', ts, ...more },
});
const job = {
  ...{ id: 'j', tenant: 't', topic: 'job.echo', traceId: 'tr', principal: 'ann', parentId: '', createdAt: ts },
  ...{ worker: 'w1', resultPtr: 'redis://res:j', execMs: 12.4, errorCode: '', errorMessage: '', artifactPtrs: [] },
} as unknown as JobView;
const json = (of: JobEvent, view: JobView | undefined = job, stored?: Uint8Array): unknown => {
  const packet = packetOfEvent(of, view, stored);
  return packet === undefined ? undefined : JSON.parse(packetJson(packet));
};

test('only a submission and an end have one', () => {
  for (const state of states) {
    const has = state === 'PENDING' || endStates.includes(state);
    expect(packetNeeds(event(state)) !== undefined, state).toBe(has);
    expect(json(event(state)) !== undefined, state).toBe(has);
  }
});

test('a submission is the packet as it was sent, and what the record tells when that is gone or cannot be read', () => {
  const head = { traceId: 'tr', senderId: 'cap-sdk', atMs: ts - 50 };
  const sent = jobRequestPacket(head, { jobId: 'j', topic: 'job.echo', labels: { a: 'b' } });
  expect(json(event('PENDING'), job, encodePacket(sent))).toEqual(JSON.parse(packetJson(sent)));
  const told = {
    ...{ traceId: 'tr', senderId: 'api-gateway', createdAt: '2023-11-14T22:13:20.123Z', protocolVersion: 1 },
    jobRequest: {
      ...{ jobId: 'j', topic: 'job.echo', contextPtr: 'redis://ctx:j', tenantId: 't', principalId: 'ann' },
      env: { tenant_id: 't' },
    },
  };
  expect(json(event('PENDING'))).toEqual(told);
  expect(json(event('PENDING'), job, new Uint8Array([1, 2, 3]))).toEqual(told);
});

test.each([
  [253_402_300_800n, 0],
  [-62_135_596_801n, 0],
  [0n, -1],
  [0n, 1_000_000_000],
])('a submission whose time is none, %s s and %s ns, is told from the record, and stops nobody', (seconds, nanos) => {
  const sent = jobRequestPacket({ traceId: 'tr', senderId: 'sdk', atMs: ts }, { jobId: 'j', topic: 'job.echo' });
  sent.createdAt = create(TimestampSchema, { seconds, nanos });
  expect(json(event('PENDING'), job, encodePacket(sent))).toEqual(json(event('PENDING')));
});

test('a job that comes back to PENDING is not submitted again', () => {
  expect(json(event('PENDING', { ts: ts + 1 }))).toBeUndefined();
});

test('an end is a result by its worker, by the scheduler, or by the gateway that cancelled', () => {
  expect(json(event('SUCCEEDED'))).toEqual({
    ...{ traceId: 'tr', senderId: 'w1', createdAt: '2023-11-14T22:13:20.123Z', protocolVersion: 1 },
    jobResult: {
      ...{ jobId: 'j', status: 'JOB_STATUS_SUCCEEDED', resultPtr: 'redis://res:j', workerId: 'w1', executionMs: '12' },
    },
  });
  expect(json(event('TIMEOUT'))).toMatchObject({ senderId: 'cortex-scheduler', traceId: 'tr' });
  expect(json(event('FAILED'), { ...job, worker: '' })).toMatchObject({ senderId: 'cortex-scheduler' });
  expect(json(event('CANCELLED'))).toMatchObject({ senderId: 'api-gateway', traceId: 'j' });
});

test('without its record an end is told by id and status, a submission not at all', () => {
  expect(packetOfEvent(event('PENDING'), undefined, undefined)).toBeUndefined();
  const packet = packetOfEvent(event('DENIED'), undefined, undefined);
  expect(JSON.parse(packet === undefined ? '' : packetJson(packet))).toMatchObject({
    jobResult: { jobId: 'j', status: 'JOB_STATUS_DENIED' },
  });
});
