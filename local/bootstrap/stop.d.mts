export class Stop extends Error {
	readonly exitCode: number;
	constructor(message: string, exitCode?: number);
}
export function runCommand(work: () => Promise<number>): Promise<void>;
