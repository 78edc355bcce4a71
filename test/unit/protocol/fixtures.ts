// One fixture, or several where a oneof wants them, for every message of the protocol, as protobuf JSON with proto names.
// interop.test.ts fails when a field of any message is set in none of them.
import type { DescMessage, JsonObject } from '@bufbuild/protobuf';
import * as alert from '#proto/cortex/agent/v1/alert_pb.ts';
import * as heartbeat from '#proto/cortex/agent/v1/heartbeat_pb.ts';
import * as job from '#proto/cortex/agent/v1/job_pb.ts';
import * as packet from '#proto/cortex/agent/v1/packet_pb.ts';
import * as safety from '#proto/cortex/agent/v1/safety_pb.ts';
import { file_cortex_v1_context } from '#proto/cortex/v1/context_pb.ts';
import * as gateway from '#proto/cortex/v1/gateway_pb.ts';
import * as coretexSafety from '#proto/coretex/agent/v1/safety_pb.ts';
import * as cordumSafety from '#proto/cordum/agent/v1/safety_pb.ts';
import { contextFixtures } from './context-fixtures.ts';

/** Every file of the protocol; a file that is missing here is found by the contract test. */
export const files = [
  packet.file_cortex_agent_v1_packet,
  job.file_cortex_agent_v1_job,
  heartbeat.file_cortex_agent_v1_heartbeat,
  safety.file_cortex_agent_v1_safety,
  alert.file_cortex_agent_v1_alert,
  gateway.file_cortex_v1_gateway,
  file_cortex_v1_context,
  coretexSafety.file_coretex_agent_v1_safety,
  cordumSafety.file_cordum_agent_v1_safety,
];

// Numbers that a double, a 32-bit integer or a float would spoil where the type is another one.
const wide = '9007199254740993';

const hints = { max_input_tokens: 8000, allow_summarization: true, allow_retrieval: true, tags: ['logs', 'über'] };
const budget = { max_input_tokens: '8001', max_output_tokens: '1024', max_total_tokens: wide, deadline_ms: '-1' };
const meta = {
  tenant_id: 'acme',
  actor_id: 'ada',
  actor_type: 'ACTOR_TYPE_SERVICE',
  idempotency_key: 'once',
  capability: 'repo.review',
  risk_tags: ['write', 'network'],
  requires: ['git', 'docker'],
  pack_id: 'pack-1',
  labels: { team: 'blue', '': 'an empty key', '7': 'looks like an index' },
};
const request = {
  job_id: 'job-1',
  topic: 'job.chat.simple',
  priority: 'JOB_PRIORITY_CRITICAL',
  context_ptr: 'redis://ctx:job-1',
  adapter_id: 'refactor',
  env: { tenant_id: 'acme', memory_id: 'session:job-1', max_input_tokens: '8000' },
  parent_job_id: 'job-0',
  workflow_id: 'flow-1',
  step_index: -1,
  memory_id: 'repo:acme/shop',
  context_hints: hints,
  budget,
  tenant_id: 'acme',
  principal_id: 'ada@acme',
  labels: { preferred_pool: 'gpu', region: 'eu' },
  meta,
};
const result = {
  job_id: 'job-1',
  status: 'JOB_STATUS_TIMEOUT',
  result_ptr: 'redis://res:job-1',
  worker_id: 'worker-echo-1',
  execution_ms: wide,
  error_code: 'deadline_exceeded',
  error_message: 'took too long',
  artifact_ptrs: ['redis://res:job-1-log-1', 'redis://res:job-1-log-2'],
};
const progress = {
  job_id: 'job-1',
  step_id: 'scan',
  percent: 42,
  message: 'half of it',
  result_ptr: 'redis://res:job-1-part',
  artifact_ptrs: ['redis://res:job-1-log-1'],
  status: 'JOB_STATUS_RUNNING',
};
const cancel = { job_id: 'job-1', reason: 'not wanted any more', requested_by: 'ada' };
const beat = {
  worker_id: 'worker-echo-1',
  region: 'local',
  type: 'cpu',
  cpu_load: 12.5,
  gpu_utilization: 0.25,
  active_jobs: 3,
  capabilities: ['echo', 'chat'],
  pool: 'echo',
  max_parallel_jobs: 4,
  labels: { 'cortex.dispatch': 'direct' },
};
const systemAlert = { level: 'CRITICAL', message: 'Redis is away', component: 'scheduler', code: 'store_away' };
const head = {
  trace_id: 'trace-1',
  sender_id: 'cortex-scheduler',
  created_at: '2025-12-12T10:11:12.131415161Z',
  protocol_version: 1,
};

const budgets = { max_runtime_ms: wide, max_retries: 2, max_artifact_bytes: '1048576', max_concurrent_jobs: 5 };
const sandbox = {
  isolated: true,
  network_allowlist: ['example.org'],
  fs_read_only: ['/usr'],
  fs_read_write: ['/tmp', '/work'],
};
const toolchain = { allowed_tools: ['git'], allowed_commands: ['git diff', 'ls'] };
const diff = { max_files: 10, max_lines: 500, deny_path_globs: ['**/*.pem'] };
const constraints = { budgets, sandbox, toolchain, diff, redaction_level: 'strict' };
const remediation = {
  id: 'use-echo',
  title: 'Use echo',
  summary: 'Echo is allowed here.',
  replacement_topic: 'job.echo',
  replacement_capability: 'echo',
  add_labels: { reviewed: 'yes' },
  remove_labels: ['prod'],
};
const policyCheck = {
  job_id: 'job-1',
  topic: 'job.chat.simple',
  tenant: 'acme',
  priority: 'JOB_PRIORITY_BATCH',
  estimated_cost: 0.1,
  budget,
  principal_id: 'ada@acme',
  labels: { env: 'prod' },
  memory_id: 'repo:acme/shop',
  effective_config: 'AAH/',
  meta,
};
const policyAnswer = {
  decision: 'DECISION_TYPE_ALLOW_WITH_CONSTRAINTS',
  reason: 'within bounds',
  redacted_context_ptr: 'redis://ctx:job-1-redacted',
  policy_snapshot: '7:abc',
  rule_id: 'rule-3',
  constraints,
  approval_required: true,
  approval_ref: 'approval-1',
  remediations: [remediation],
};

/** The fixtures of each message. */
export const fixtures: readonly (readonly [DescMessage, readonly JsonObject[]])[] = [
  [
    packet.BusPacketSchema,
    [
      { ...head, signature: '3q2+7w==', job_request: request },
      { ...head, job_result: result },
      { ...head, heartbeat: beat },
      { ...head, alert: systemAlert },
      { ...head, job_progress: progress },
      { ...head, job_cancel: cancel },
    ],
  ],
  [job.ContextHintsSchema, [hints]],
  [job.BudgetSchema, [budget]],
  [job.JobMetadataSchema, [meta]],
  [job.JobRequestSchema, [request]],
  [job.JobResultSchema, [result]],
  [job.JobProgressSchema, [progress]],
  [job.JobCancelSchema, [cancel]],
  [heartbeat.HeartbeatSchema, [beat]],
  [alert.SystemAlertSchema, [systemAlert]],
  [safety.PolicyCheckRequestSchema, [policyCheck]],
  [safety.BudgetConstraintsSchema, [budgets]],
  [safety.SandboxProfileSchema, [sandbox]],
  [safety.ToolchainConstraintsSchema, [toolchain]],
  [safety.DiffConstraintsSchema, [diff]],
  [safety.PolicyConstraintsSchema, [constraints]],
  [safety.PolicyRemediationSchema, [remediation]],
  [safety.PolicyCheckResponseSchema, [policyAnswer]],
  [safety.PolicyCheckManyRequestSchema, [{ checks: [policyCheck, { job_id: 'job-2' }] }]],
  [
    safety.PolicyCheckManyResponseSchema,
    [{ results: [policyAnswer, { decision: 'DECISION_TYPE_DENY' }], policy_snapshot: '7:abc' }],
  ],
  [
    gateway.SubmitJobRequestSchema,
    [
      {
        prompt: 'Hello',
        topic: 'job.echo',
        adapter_id: 'refactor',
        priority: 'batch',
        org_id: 'acme',
        team_id: 'blue',
        project_id: 'shop',
        principal_id: 'ada@acme',
      },
    ],
  ],
  [gateway.SubmitJobResponseSchema, [{ job_id: 'job-1', trace_id: 'trace-1' }]],
  [gateway.GetJobStatusRequestSchema, [{ job_id: 'job-1' }]],
  [gateway.GetJobStatusResponseSchema, [{ job_id: 'job-1', status: 'RUNNING', result_ptr: 'redis://res:job-1' }]],
  ...contextFixtures,
];
