import type { PathOptions } from './options.ts';
export async function profilePath(_options: PathOptions): Promise<void> {}
