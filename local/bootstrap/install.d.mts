import type { LockHold } from "./lock.mjs";
export function needsInstall(root: string): boolean;
export function install(
	root: string,
	hold: LockHold,
	say: (line: string) => void,
): Promise<void>;
