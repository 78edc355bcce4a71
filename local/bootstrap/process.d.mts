export interface ProcessIdentity {
	readonly pid: number;
	readonly startTime: string;
	readonly cmd: string;
}
export function identify(pid: number): ProcessIdentity | undefined;
export function isAlive(noted: {
	readonly pid: number;
	readonly startTime: string;
	readonly cmd?: string;
}): boolean;
