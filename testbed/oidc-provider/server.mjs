// A real OpenID Connect provider on loopback, for tests. Never for anything else: every password is right.
//
// Standard input has one line of JSON, `{"certificate": PEM, "key": PEM}`; standard output gets one,
// `{"issuer": URL}`. It ends when standard input does. Paths below /test are the tests' own:
//
//   POST /test/rotate           signs with a new key from now on, and forgets the old one
//   POST /test/sign             signs `{"header": …, "claims": …}` with the current key
//   GET  /test/requests         how often each path was asked for
//   GET  /test/gateway/…        what proof the request brought, as if this were a gateway

import { createServer } from 'node:https';
import { createInterface } from 'node:readline';
import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';

const ACCOUNTS = {
  ada: { email: 'ada@example.org', email_verified: true, groups: ['ops', 'oncall'], tenant: 'blue' },
  bob: { email: 'bob@example.org', email_verified: false, groups: 'dev', tenant: 'red' },
  eve: { email: 'eve@example.org', email_verified: true, groups: ['system:masters'], tenant: 'blue' },
};

const native = (id, scopes) => ({
  client_id: id,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  response_types: ['code'],
  scope: scopes,
});

const SCOPES = 'openid offline_access email groups tenant';

let issuer;
let key;
let provider;
const requests = {};

async function newKey() {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  jwk.kid = crypto.randomUUID();
  jwk.use = 'sig';
  jwk.alg = 'RS256';
  return jwk;
}

async function renew() {
  key = await newKey();
  provider = new Provider(issuer, {
    clients: [native('weir', SCOPES), native('other', SCOPES)],
    jwks: { keys: [key] },
    cookies: { keys: ['only for tests'] },
    // What `kubectl` needs is in the ID token, and not behind another question.
    conformIdTokenClaims: false,
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
      tenant: ['tenant'],
    },
    features: { deviceFlow: { enabled: true } },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...ACCOUNTS[id] }),
    }),
    ttl: { IdToken: 600, AccessToken: 600, RefreshToken: 3600, Grant: 3600, Session: 600, Interaction: 600 },
  });
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

async function forTests(path, request, response) {
  const answer = (value) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(value));
  };
  if (path === '/test/rotate') {
    await renew();
    return answer({ kid: key.kid });
  }
  if (path === '/test/sign') {
    const { header, claims } = await body(request);
    const signer = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: key.kid, ...header });
    return answer({ token: await signer.sign(await importJWK(key, 'RS256')) });
  }
  if (path === '/test/requests') return answer(requests);
  if (path.startsWith('/test/gateway/')) return answer({ authorization: request.headers.authorization });
  response.statusCode = 404;
  return response.end();
}

function serve(request, response) {
  const path = request.url.split('?')[0];
  if (path.startsWith('/test/')) {
    forTests(path, request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
    return;
  }
  requests[path] = (requests[path] ?? 0) + 1;
  provider.callback()(request, response);
}

const lines = createInterface({ input: process.stdin });
lines.once('line', (line) => {
  const { certificate, key: tlsKey } = JSON.parse(line);
  const server = createServer({ cert: certificate, key: tlsKey }, serve);
  server.listen(0, '127.0.0.1', async () => {
    issuer = `https://127.0.0.1:${server.address().port}`;
    await renew();
    process.stdout.write(`${JSON.stringify({ issuer })}\n`);
  });
});
lines.once('close', () => process.exit(0));
