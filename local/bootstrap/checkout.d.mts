import type { ProcessIdentity } from "./process.mjs";

export interface NotedChild {
	readonly name: string;
	readonly pid: number;
	readonly startTime: string;
	/** Missing for the instant between the start of a server and its first answer: it renames itself. */
	readonly cmd?: string;
}

/** .cortex/run.json: what `npm start` runs from this checkout. The CLI reads `urls`. */
export interface RunNote {
	/** The supervisor. */
	readonly pid: number;
	readonly startTime: string;
	readonly cmd: string;
	readonly started_at: string;
	readonly state: "starting" | "ready" | "stopping";
	/** `gateway`, `gateway_rpc`, `safety`, `<service>_metrics`: the `url` names of local/services.ts. */
	readonly urls: Readonly<Record<string, string>>;
	/** The GET /health address of each service. */
	readonly health: Readonly<Record<string, string>>;
	/** Without name and password, as `redis`. */
	readonly nats: string;
	/** The WebSocket listener of a nats-server of ours; empty with somebody else's. */
	readonly nats_ws: string;
	readonly redis: string;
	/** Folders that its workers read for reviews; missing before they are known. */
	readonly local_roots?: readonly string[];
	readonly children: readonly NotedChild[];
}

export function runFile(root: string): string;
export function lockFile(root: string): string;
export function readRun(root: string): RunNote | undefined;
export function claimRun(root: string): void;
export function writeRun(root: string, note: RunNote): void;
export function releaseRun(root: string): void;
export function endLeftovers(root: string): Promise<string[]>;
export function endProcesses(
	noted: readonly NotedChild[],
	patience?: number,
): Promise<string[]>;
export function claimTests(root: string): string;
export function testChildren(folder: string): NotedChild[];
export function endTestLeftovers(root: string): Promise<void>;
export function inUse(root: string): string | undefined;
export type { ProcessIdentity };
