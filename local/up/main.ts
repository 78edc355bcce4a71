// The process behind `npm start`: signals in, exit code out. local/start.mjs runs it on Node 24.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { services } from '../services.ts';
import { runUp } from './signals.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
await runUp({ root, services, args: process.argv.slice(2) });
