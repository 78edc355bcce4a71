export const usage: string;
export function startArguments(args: readonly string[]): {
	readonly watch: boolean;
	readonly auto: boolean;
	readonly help: boolean;
	readonly problems: string[];
};
