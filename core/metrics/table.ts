// Every metric there is: name, kind, help, labels. The types of all callers come from here, so a wrong label does not compile.
// The first groups are the original's names and labels; dashboards made for it go on working.

interface Row {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

/** The original's, in seconds. */
const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** From a hand-over within one machine to a job that waits for minutes. */
const waitBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;
/** From an echo to a model that thinks. */
const workBuckets = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600] as const;

export const metricTable = {
  cortex_scheduler_jobs_received_total: {
    type: 'counter',
    labels: ['topic'],
    help: 'Jobs that came to the gate for the first time, judged or not.',
  },
  cortex_scheduler_jobs_dispatched_total: { type: 'counter', labels: ['topic'], help: 'Jobs handed to a worker.' },
  cortex_scheduler_safety_denied_total: { type: 'counter', labels: ['topic'], help: 'Jobs that the policy denied.' },
  cortex_scheduler_jobs_completed_total: {
    type: 'counter',
    labels: ['topic', 'status'],
    help: 'Jobs that ended, by JOB_STATUS_ name; topic unknown when no record told it.',
  },

  cortex_api_gateway_http_requests_total: {
    type: 'counter',
    labels: ['method', 'route', 'status'],
    help: 'Requests answered, by route pattern. Health and unknown routes are not counted.',
  },
  cortex_api_gateway_http_request_duration_seconds: {
    type: 'histogram',
    labels: ['method', 'route'],
    buckets: requestBuckets,
    help: 'From the request to its answer.',
  },
  cortex_api_gateway_streams_open: { type: 'gauge', labels: ['kind'], help: 'Streams open now: sse, websocket.' },
  cortex_api_gateway_streams_ended_total: {
    type: 'counter',
    labels: ['kind', 'cause'],
    help: 'Streams ended: done, client, slow, rude, failed, lifetime, stopping.',
  },

  cortex_orchestrator_workflows_started_total: { type: 'counter', labels: ['workflow'], help: 'Workflow runs begun.' },
  cortex_orchestrator_workflows_completed_total: {
    type: 'counter',
    labels: ['workflow', 'status'],
    help: 'Workflow runs ended: completed, or failed for whatever reason.',
  },
  cortex_orchestrator_workflow_duration_seconds: {
    type: 'histogram',
    labels: ['workflow'],
    buckets: requestBuckets,
    help: 'From the begin of a workflow run to its end.',
  },

  cortex_scheduler_queue_depth: { type: 'gauge', labels: ['pool'], help: 'Jobs in the ready queue of a pool.' },
  cortex_scheduler_queue_wait_seconds: {
    type: 'histogram',
    labels: ['pool'],
    buckets: waitBuckets,
    help: 'From the entry of a job into the ready queue to its hand-out.',
  },
  cortex_scheduler_dispatch_latency_seconds: {
    type: 'histogram',
    labels: ['pool'],
    buckets: waitBuckets,
    help: 'From the entry of a job into the ready queue to its acceptance by a worker, told by the worker host.',
  },
  cortex_scheduler_lease_expiries_total: { type: 'counter', labels: ['pool'], help: 'Hand-outs whose lease ran out.' },
  cortex_scheduler_submissions_refused_total: {
    type: 'counter',
    labels: ['reason'],
    help: 'Submissions on the bus that became no job, or were not the job that they named.',
  },
  cortex_scheduler_safety_check_seconds: {
    type: 'histogram',
    labels: [],
    buckets: waitBuckets,
    help: 'One call of the scheduler to the safety kernel to judge a batch of jobs, until its answer.',
  },
  cortex_scheduler_workers: { type: 'gauge', labels: ['pool'], help: 'Workers alive in a pool.' },

  cortex_fence_rejections_total: {
    type: 'counter',
    labels: ['operation'],
    help: 'Operations refused because another attempt holds the job.',
  },
  cortex_safety_check_seconds: {
    type: 'histogram',
    labels: [],
    buckets: waitBuckets,
    help: 'Time in the safety kernel to judge a batch of jobs.',
  },
  cortex_safety_checks_total: { type: 'counter', labels: ['decision'], help: 'Jobs judged, by decision.' },

  cortex_context_calls_total: {
    type: 'counter',
    labels: ['method', 'code'],
    help: 'Calls of the context engine that ended, by method and by ok or the code of their error.',
  },
  cortex_context_call_seconds: {
    type: 'histogram',
    labels: ['method'],
    buckets: workBuckets,
    help: 'From a call of the context engine to its end.',
  },
  cortex_context_embeddings_total: {
    type: 'counter',
    labels: ['use', 'outcome'],
    help: 'Questions, and groups of chunks, that a model was asked to embed, by use (question, chunks) and by ok or the code of their error.',
  },

  cortex_worker_jobs_total: { type: 'counter', labels: ['topic', 'status'], help: 'Jobs that a handler finished.' },
  cortex_worker_job_seconds: { type: 'histogram', labels: ['topic'], buckets: workBuckets, help: 'Time in a handler.' },
  cortex_worker_active_jobs: { type: 'gauge', labels: ['topic'], help: 'Jobs in a handler now.' },
  cortex_worker_aborts_total: {
    type: 'counter',
    labels: ['topic', 'cause'],
    help: 'Handlers told to stop: cancelled, deadline, lease, lost, shutdown and so on.',
  },
  cortex_worker_unresponsive_total: {
    type: 'counter',
    labels: ['topic'],
    help: 'Handlers that still ran ten seconds after they were told to stop.',
  },
  cortex_worker_model_requests_total: {
    type: 'counter',
    labels: ['model', 'outcome'],
    help: 'Requests that went out to models, retries and fallbacks too: answered, cut, silent, stopped, failed.',
  },
  cortex_worker_model_tokens_total: {
    type: 'counter',
    labels: ['model', 'kind'],
    help: 'Tokens that providers told: input, output.',
  },
  cortex_worker_renewals_failed_total: { type: 'counter', labels: [], help: 'Renewals that did not reach the store.' },

  cortex_bus_dropped_total: { type: 'counter', labels: [], help: 'News not sent because the bus was away.' },
  cortex_redis_calls_total: { type: 'counter', labels: [], help: 'Calls at the Redis port.' },
} as const satisfies Readonly<Record<`cortex_${string}`, Row>>;

export type MetricTable = typeof metricTable;
export type MetricName = keyof MetricTable;

type NamesOf<T extends Row['type']> = {
  [N in MetricName]: MetricTable[N]['type'] extends T ? N : never;
}[MetricName];
export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
export type HistogramName = NamesOf<'histogram'>;

/** Exactly the labels of a metric, each with a text. */
export type LabelsOf<N extends MetricName> = { readonly [L in MetricTable[N]['labels'][number]]: string };
