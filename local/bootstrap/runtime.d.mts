export function findRuntime(
	root: string,
	machine?: {
		readonly platform?: string;
		readonly arch?: string;
		readonly current?: string;
	},
): string;
export function assertNewEnough(runtime: string): void;
export function leaveParent(): void;
export function runOn(
	runtime: string,
	script: string,
	args: readonly string[],
	options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): Promise<number>;
