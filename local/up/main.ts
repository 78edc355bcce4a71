// The process behind `npm start`: signals in, exit code out. local/start.mjs runs it on Node 24.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startArguments } from '../bootstrap/start-arguments.mjs';
import { edgeServices, services } from '../services.ts';
import { runUp } from './signals.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const args = process.argv.slice(2);
await runUp({ root, services: startArguments(args).edge ? edgeServices : services, args });
