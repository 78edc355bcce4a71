// Calls of methods that a server does not have, told in the words of the protocol they came by. A client in a library would make
// `unimplemented` of any 404; one with nothing but JSON reads it here.

/** `/cortex.v1.ContextEngine/BuildWindow`: a service in a package, and a method. */
const methodPath = /^\/((?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*\/[A-Za-z_]\w*)$/;

/** What to say of a path that no method has. */
export function unservedMessage(path: string): string {
  const method = path.length > 256 ? undefined : methodPath.exec(path)?.[1];
  return method === undefined ? 'unknown method' : `${method} is not served here`;
}

/** The answer to a Connect or gRPC-Web call of one message; undefined for a request that is none. */
export function unservedCall(request: Request): Response | undefined {
  const { pathname } = new URL(request.url);
  if (request.method !== 'POST' || !methodPath.test(pathname)) return undefined;
  const [type = ''] = (request.headers.get('content-type') ?? '').toLowerCase().split(';', 1);
  const message = unservedMessage(pathname);
  if (/^application\/(?:json|proto)$/.test(type)) {
    // Unary Connect. The path is not there, so 404 and not the 501 of a method that is known and empty.
    return Response.json({ code: 'unimplemented', message }, { status: 404 });
  }
  if (/^application\/grpc-web(?:\+(?:proto|json))?$/.test(type)) {
    const status = { 'grpc-status': '12', 'grpc-message': encodeURIComponent(message) };
    return new Response(null, { headers: { 'content-type': type, ...status } });
  }
  return undefined;
}
