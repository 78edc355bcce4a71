// A lane is a requirement class: jobs that the same workers can do. Its text is its definition, so that no catalogue is needed:
//   job.echo                        any worker of the pool that takes the topic
//   job.code.llm|c:gpu|l:os=linux   with capability gpu and label os=linux
//   job.echo|d                      only our own hosts (constraints or a redacted payload bind it)

/** What stands before the topic in the id of a pseudo-worker: all that listen on the topic itself. A colon is in no worker's id. */
export const pseudoPrefix = 'topic:';

export interface LaneSpec {
  readonly topic: string;
  /** Capabilities that the worker must name. */
  readonly requires: readonly string[];
  /** Labels that the worker must carry; `region` is compared with the heartbeat's region. */
  readonly labels: Readonly<Record<string, string>>;
  /** Never to a bus-only worker. */
  readonly direct: boolean;
}

/** What a lane asks of a worker, as seen in its heartbeat. */
export interface LaneServer {
  /** Topics it takes; undefined when it does not say (then any topic of its pool). */
  readonly topics: readonly string[] | undefined;
  readonly capabilities: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly region: string;
  /** Ours, reached on worker.<id>.jobs. */
  readonly direct: boolean;
}

/** Labels that are hints, never requirements. */
const hints = new Set(['preferred_pool', 'preferred_worker_id']);

const pack = encodeURIComponent;

/** The text of a lane; equal requirements give equal text. */
export function formatLane(spec: LaneSpec): string {
  let lane = spec.topic;
  if (spec.requires.length > 0) {
    lane += `|c:${Array.from(new Set(spec.requires)).sort().map(pack).join(',')}`;
  }
  const labels = Object.keys(spec.labels)
    .filter((k) => !hints.has(k))
    .sort();
  if (labels.length > 0) lane += `|l:${labels.map((k) => `${pack(k)}=${pack(spec.labels[k] ?? '')}`).join(',')}`;
  if (spec.direct) lane += '|d';
  return lane;
}

/** The definition of a lane from its text. */
export function parseLane(lane: string): LaneSpec {
  const [topic = '', ...parts] = lane.split('|');
  let requires: string[] = [];
  const labels: Record<string, string> = {};
  let direct = false;
  for (const part of parts) {
    if (part === 'd') direct = true;
    else if (part.startsWith('c:')) requires = part.slice(2).split(',').map(decodeURIComponent);
    else if (part.startsWith('l:')) {
      for (const pair of part.slice(2).split(',')) {
        const cut = pair.indexOf('=');
        labels[decodeURIComponent(pair.slice(0, cut))] = decodeURIComponent(pair.slice(cut + 1));
      }
    }
  }
  return { topic, requires, labels, direct };
}

/** Whether a worker may serve a lane. */
export function serves(server: LaneServer, spec: LaneSpec): boolean {
  if (spec.direct && !server.direct) return false;
  if (server.topics !== undefined && !server.topics.includes(spec.topic)) return false;
  for (const need of spec.requires) if (!server.capabilities.includes(need)) return false;
  for (const key in spec.labels) {
    const have = key === 'region' ? (server.labels['region'] ?? server.region) : server.labels[key];
    if (have !== spec.labels[key]) return false;
  }
  return true;
}
