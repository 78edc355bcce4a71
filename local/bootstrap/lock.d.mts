export interface LockHold {
	share(pid: number): void;
}
export interface LockOptions {
	readonly say?: (line: string) => void;
	readonly pause?: number;
}
export function withLock<T>(
	file: string,
	work: (hold: LockHold) => Promise<T> | T,
	options?: LockOptions,
): Promise<T>;
export function writeWhole(
	file: string,
	content: unknown,
	options?: { readonly mode?: number },
): void;
