// Field names and numbers as the outside has them: CAP up to 2.0.12, the original's own services, and gRPC's reflection. Written by hand from the
// description of the wire and never from our .proto files, so that those cannot drift unnoticed. `name number type`;
// no type means string, `[]` repeated, `{}` a map from string to string.

import { contextMessages, contextMethods } from './context-table.ts';

const agent = 'cortex.agent.v1.';
const own = 'cortex.v1.';

/** Reflection, the same in each of its packages. */
const reflection = (version: string): Record<string, string> => {
  const of = `grpc.reflection.${version}.`;
  return {
    [`${of}ServerReflectionRequest`]: `host 1, file_by_filename 3, file_containing_symbol 4,
      file_containing_extension 5 ${of}ExtensionRequest, all_extension_numbers_of_type 6, list_services 7`,
    [`${of}ExtensionRequest`]: 'containing_type 1, extension_number 2 int32',
    [`${of}ServerReflectionResponse`]: `valid_host 1, original_request 2 ${of}ServerReflectionRequest,
      file_descriptor_response 4 ${of}FileDescriptorResponse,
      all_extension_numbers_response 5 ${of}ExtensionNumberResponse,
      list_services_response 6 ${of}ListServiceResponse, error_response 7 ${of}ErrorResponse`,
    [`${of}FileDescriptorResponse`]: 'file_descriptor_proto 1 bytes[]',
    [`${of}ExtensionNumberResponse`]: 'base_type_name 1, extension_number 2 int32[]',
    [`${of}ListServiceResponse`]: `service 1 ${of}ServiceResponse[]`,
    [`${of}ServiceResponse`]: 'name 1',
    [`${of}ErrorResponse`]: 'error_code 1 int32, error_message 2',
  };
};

export const messages: Readonly<Record<string, string>> = {
  ...reflection('v1'),
  ...reflection('v1alpha'),
  [`${agent}BusPacket`]: `trace_id 1, sender_id 2, created_at 3 google.protobuf.Timestamp, protocol_version 4 int32,
    job_request 10 ${agent}JobRequest, job_result 11 ${agent}JobResult, heartbeat 12 ${agent}Heartbeat,
    alert 13 ${agent}SystemAlert, signature 14 bytes, job_progress 15 ${agent}JobProgress, job_cancel 16 ${agent}JobCancel`,
  [`${agent}JobRequest`]: `job_id 1, topic 2, priority 3 ${agent}JobPriority, context_ptr 4, adapter_id 5, env 6 {},
    parent_job_id 7, workflow_id 8, step_index 9 int32, memory_id 10, context_hints 11 ${agent}ContextHints,
    budget 12 ${agent}Budget, tenant_id 13, principal_id 14, labels 15 {}, meta 16 ${agent}JobMetadata`,
  [`${agent}ContextHints`]:
    'max_input_tokens 1 int32, allow_summarization 2 bool, allow_retrieval 3 bool, tags 4 string[]',
  [`${agent}Budget`]:
    'max_input_tokens 1 int64, max_output_tokens 2 int64, max_total_tokens 3 int64, deadline_ms 4 int64',
  [`${agent}JobMetadata`]: `tenant_id 1, actor_id 2, actor_type 3 ${agent}ActorType, idempotency_key 4, capability 5,
    risk_tags 6 string[], requires 7 string[], pack_id 8, labels 9 {}`,
  [`${agent}JobResult`]: `job_id 1, status 2 ${agent}JobStatus, result_ptr 3, worker_id 4, execution_ms 5 int64, error_code 6,
    error_message 7, artifact_ptrs 8 string[]`,
  [`${agent}JobProgress`]: `job_id 1, step_id 2, percent 3 int32, message 4, result_ptr 5, artifact_ptrs 6 string[],
    status 7 ${agent}JobStatus`,
  [`${agent}JobCancel`]: 'job_id 1, reason 2, requested_by 3',
  [`${agent}Heartbeat`]: `worker_id 1, region 2, type 3, cpu_load 4 float, gpu_utilization 5 float, active_jobs 6 int32,
    capabilities 7 string[], pool 11, max_parallel_jobs 12 int32, labels 13 {}`,
  [`${agent}SystemAlert`]: 'level 1, message 2, component 3, code 4',
  [`${agent}PolicyCheckRequest`]: `job_id 1, topic 2, tenant 3, priority 4 ${agent}JobPriority, estimated_cost 5 double,
    budget 6 ${agent}Budget, principal_id 7, labels 8 {}, memory_id 9, effective_config 10 bytes, meta 11 ${agent}JobMetadata`,
  [`${agent}PolicyCheckResponse`]: `decision 1 ${agent}DecisionType, reason 2, redacted_context_ptr 3, policy_snapshot 4, rule_id 5,
    constraints 6 ${agent}PolicyConstraints, approval_required 7 bool, approval_ref 8, remediations 9 ${agent}PolicyRemediation[]`,
  [`${agent}PolicyConstraints`]: `budgets 1 ${agent}BudgetConstraints, sandbox 2 ${agent}SandboxProfile,
    toolchain 3 ${agent}ToolchainConstraints, diff 4 ${agent}DiffConstraints, redaction_level 5`,
  [`${agent}BudgetConstraints`]:
    'max_runtime_ms 1 int64, max_retries 2 int32, max_artifact_bytes 3 int64, max_concurrent_jobs 4 int32',
  [`${agent}SandboxProfile`]:
    'isolated 1 bool, network_allowlist 2 string[], fs_read_only 3 string[], fs_read_write 4 string[]',
  [`${agent}ToolchainConstraints`]: 'allowed_tools 1 string[], allowed_commands 2 string[]',
  [`${agent}DiffConstraints`]: 'max_files 1 int32, max_lines 2 int32, deny_path_globs 3 string[]',
  [`${agent}PolicyRemediation`]: `id 1, title 2, summary 3, replacement_topic 4, replacement_capability 5, add_labels 6 {},
    remove_labels 7 string[]`,
  // Ours.
  [`${agent}PolicyCheckManyRequest`]: `checks 1 ${agent}PolicyCheckRequest[]`,
  [`${agent}PolicyCheckManyResponse`]: `results 1 ${agent}PolicyCheckResponse[], policy_snapshot 2`,

  [`${own}SubmitJobRequest`]: `prompt 1, topic 2, adapter_id 3, priority 4, org_id 5, team_id 6, project_id 7, principal_id 8`,
  [`${own}SubmitJobResponse`]: 'job_id 1, trace_id 2',
  [`${own}GetJobStatusRequest`]: 'job_id 1',
  [`${own}GetJobStatusResponse`]: 'job_id 1, status 2, result_ptr 3',
  ...contextMessages,
};

/** Prefix and names, numbered from 0. */
export const enums: Readonly<Record<string, readonly [string, string]>> = {
  [`${agent}JobPriority`]: ['JOB_PRIORITY_', 'UNSPECIFIED INTERACTIVE BATCH CRITICAL'],
  [`${agent}JobStatus`]: [
    'JOB_STATUS_',
    'UNSPECIFIED PENDING SCHEDULED DISPATCHED RUNNING SUCCEEDED FAILED CANCELLED DENIED TIMEOUT',
  ],
  [`${agent}ActorType`]: ['ACTOR_TYPE_', 'UNSPECIFIED HUMAN SERVICE'],
  [`${agent}DecisionType`]: ['DECISION_TYPE_', 'UNSPECIFIED ALLOW DENY REQUIRE_HUMAN THROTTLE ALLOW_WITH_CONSTRAINTS'],
  [`${own}ContextMode`]: ['CONTEXT_MODE_', 'UNSPECIFIED RAW CHAT RAG'],
};

/** Method paths with their messages. */
export const methods: Readonly<Record<string, string>> = {
  '/cortex.agent.v1.SafetyKernel/Check': 'cortex.agent.v1.PolicyCheckRequest cortex.agent.v1.PolicyCheckResponse',
  '/cortex.agent.v1.SafetyKernel/CheckMany':
    'cortex.agent.v1.PolicyCheckManyRequest cortex.agent.v1.PolicyCheckManyResponse',
  '/coretex.agent.v1.SafetyKernel/Check': 'cortex.agent.v1.PolicyCheckRequest cortex.agent.v1.PolicyCheckResponse',
  '/cordum.agent.v1.SafetyKernel/Check': 'cortex.agent.v1.PolicyCheckRequest cortex.agent.v1.PolicyCheckResponse',
  '/cortex.v1.CortexApi/SubmitJob': 'cortex.v1.SubmitJobRequest cortex.v1.SubmitJobResponse',
  '/cortex.v1.CortexApi/GetJobStatus': 'cortex.v1.GetJobStatusRequest cortex.v1.GetJobStatusResponse',
  ...contextMethods,
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo':
    'grpc.reflection.v1.ServerReflectionRequest grpc.reflection.v1.ServerReflectionResponse',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo':
    'grpc.reflection.v1alpha.ServerReflectionRequest grpc.reflection.v1alpha.ServerReflectionResponse',
};
