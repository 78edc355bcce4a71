// What may be asked of the Redis behind the front: an allow-list. Left out is what waits (it would hold up everybody on the one
// connection), what changes the connection or the server, what subscribes, and what walks or empties the whole key space. A script
// may still do the latter: who has the token has the data.

const allowed = new Set(
  `GET SET SETEX PSETEX SETNX GETSET GETDEL GETEX MGET MSET MSETNX APPEND STRLEN SETRANGE GETRANGE
  INCR INCRBY INCRBYFLOAT DECR DECRBY SETBIT GETBIT BITCOUNT BITPOS BITOP
  DEL UNLINK EXISTS TYPE EXPIRE PEXPIRE EXPIREAT PEXPIREAT EXPIRETIME PEXPIRETIME TTL PTTL PERSIST TOUCH RENAME RENAMENX COPY SCAN
  HSET HSETNX HMSET HGET HMGET HGETALL HDEL HEXISTS HINCRBY HINCRBYFLOAT HKEYS HVALS HLEN HSTRLEN HRANDFIELD HSCAN
  LPUSH LPUSHX RPUSH RPUSHX LPOP RPOP LLEN LRANGE LINDEX LINSERT LREM LSET LTRIM LPOS LMOVE
  SADD SREM SCARD SMEMBERS SISMEMBER SMISMEMBER SMOVE SPOP SRANDMEMBER SSCAN SDIFF SDIFFSTORE SINTER SINTERSTORE SUNION SUNIONSTORE
  ZADD ZREM ZCARD ZCOUNT ZSCORE ZMSCORE ZINCRBY ZRANGE ZRANGEBYSCORE ZREVRANGE ZREVRANGEBYSCORE ZRANK ZREVRANK ZPOPMIN ZPOPMAX
  ZREMRANGEBYRANK ZREMRANGEBYSCORE ZSCAN
  XADD XDEL XLEN XRANGE XREVRANGE XTRIM PFADD PFCOUNT PFMERGE
  EVAL EVALSHA EVAL_RO EVALSHA_RO PUBLISH PING ECHO TIME DBSIZE`.split(/\s+/),
);
const scriptWords = new Set(['LOAD', 'EXISTS']);

/** A command in Redis's words: its name in capitals, then its arguments. */
export type RestCommand = readonly [name: string, ...args: string[]];

/** The command in a parsed body, or undefined when it is none: a list of texts, numbers and booleans that begins with a name. */
export function parseCommand(body: unknown): RestCommand | undefined {
  if (!Array.isArray(body)) return undefined;
  const [name, ...args] = body as readonly unknown[];
  if (typeof name !== 'string' || name === '' || !args.every(isScalar)) return undefined;
  return [name.toUpperCase(), ...args.map(String)];
}

/** Why a command is not passed on, in Upstash's words, or undefined. */
export function refusalOf([name, word = '']: RestCommand): string | undefined {
  if (allowed.has(name)) return undefined;
  if (name === 'SCRIPT' && scriptWords.has(word.toUpperCase())) return undefined;
  const shown = (name === 'SCRIPT' ? `${name} ${word.toUpperCase()}` : name).slice(0, 50);
  return `ERR Command is not available: '${shown}'`;
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
