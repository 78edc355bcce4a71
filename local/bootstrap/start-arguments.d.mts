export const usage: string;
export function startArguments(args: readonly string[]): {
	readonly watch: boolean;
	readonly auto: boolean;
	readonly edge: boolean;
	readonly help: boolean;
	readonly problems: string[];
};
