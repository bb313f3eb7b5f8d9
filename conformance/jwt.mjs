// Tokens, good ones and forged ones.
import { createHmac, createSign } from 'node:crypto';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Seconds since 1970, as tokens count. */
export const now = () => Math.floor(Date.now() / 1000);

/** A token signed with a shared secret; header replaces the usual one, so that it can lie. */
export function hs256(claims, secret, header = { alg: 'HS256', typ: 'JWT' }) {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** A token signed with an RSA key. */
export function rs256(claims, privateKey) {
  const text = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey, 'base64url')}`;
}

/** A token that says it needs no signature. */
export function unsigned(claims) {
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`;
}
