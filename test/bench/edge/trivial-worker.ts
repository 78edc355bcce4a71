// The peer: the least that an app of the same kind does for a request.
import { Hono } from 'hono';

const app = new Hono();
app.get('/', (c) => c.text('ok'));

export default app;
