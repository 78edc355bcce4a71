export function runsAlready(
	root: string,
	say: (line: string) => void,
	patience?: { readonly busy: number; readonly sick: number },
): Promise<boolean>;
