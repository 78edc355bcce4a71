// A service for tests of the supervisor: announces, answers /health, plays a gateway that finishes every
// job at once. What it should do wrong comes in FAKE_<name of the service>.
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { announceListening } from '#core/process/announce.node.ts';

const begun = Date.now();
const file = process.env['FAKE_FILE'];
const what = (file !== undefined && existsSync(file) ? readFileSync(file, 'utf8') : '').trim();
const entry = process.argv[1] ?? '';
const me = entry.includes('gateway') ? 'gateway' : 'safety';

if (what === `${me} exits`) {
  process.stderr.write('Error: the fake service was told to exit\n');
  process.exit(7);
}

const jobState: Readonly<Record<string, string>> = { 'jobs fail': 'FAILED', 'jobs wait': 'PENDING' };
const listen = (address: string | undefined, name: string): Promise<Server> =>
  new Promise((resolve) => {
    const [host = '', port = '0'] = (address ?? '').split(/:(?=\d+$)/);
    const server = createServer((request, response) => {
      const path = request.url ?? '';
      if (path === '/health') {
        const ready = what !== `${me} is never ready`;
        response.writeHead(ready ? 200 : 503).end(JSON.stringify({ status: ready ? 'ok' : 'starting' }));
      } else if (path === '/env') response.end(JSON.stringify(process.env));
      else if (path === '/crash') process.exit(9);
      else if (path === '/api/v1/jobs') response.end(JSON.stringify({ job_id: 'job-1', trace_id: 'trace-1' }));
      else if (path.startsWith('/api/v1/jobs/job-1')) {
        response.end(
          JSON.stringify({
            id: 'job-1',
            state: jobState[what] ?? 'SUCCEEDED',
            safety_reason: what === 'jobs wait' ? 'no policy' : '',
          }),
        );
      } else response.writeHead(404).end();
    });
    server.listen(Number(port), host, () => {
      announceListening(name, `http://${host}:${(server.address() as AddressInfo).port}`);
      resolve(server);
    });
  });

const servers = [await listen(process.env['METRICS_ADDR'], 'metrics')];
if (me === 'gateway') servers.push(await listen(process.env['GATEWAY_HTTP_ADDR'], 'http'));
else servers.push(await listen(process.env['SAFETY_KERNEL_ADDR'], 'rpc'));

process.stdout.write(`${JSON.stringify({ level: 'info', msg: 'quiet line' })}\n`);
process.stdout.write(`${JSON.stringify({ level: 'warn', msg: 'loud line', took: Date.now() - begun })}\n`);
process.on('SIGTERM', () => {
  if (what === `${me} does not drain`) {
    process.stdout.write(`${JSON.stringify({ level: 'warn', msg: what })}\n`);
    return;
  }
  if (what === `${me} drains slowly`) {
    setTimeout(() => process.exit(0), 1_200);
    return;
  }
  process.stdout.write(`${JSON.stringify({ level: 'warn', msg: `${me} drains` })}\n`, () => process.exit(0));
});
