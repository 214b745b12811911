import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SYSTEM_PYTHON } from './requirements.ts'
import { temporaryFolder } from './running-postern.ts'

/** What a database knows when a token comes: for RDS its own endpoint and the keys that may log in, for Azure the tokens themselves. */
export interface TokenCheckRules {
  /** `host:port` of the database, one or several names for it. */
  readonly endpoints: readonly string[]
  readonly region: string
  /** Secret access keys by their ids. */
  readonly keys: Readonly<Record<string, string>>
  /** Tokens that Microsoft Entra gave out for the databases, and the database users of their applications. */
  readonly entraTokens?: Readonly<Record<string, string>>
}

/** A PAM service that takes tokens of clouds in place of passwords. Call `remove` in afterAll. */
export interface TokenCheck {
  /** Name of the service, for pg_hba.conf and for `identified via pam`. */
  readonly service: string
  /** What is taken from now on. Until the first call: nothing. */
  allow(rules: TokenCheckRules): void
  remove(): void
}

/** Services of PAM stand in a folder of root. */
export const canCheckTokens = process.getuid?.() === 0

/**
 * Stands in for what RDS does with a token: the signature is computed again from the specification, with no code of AWS, by a
 * script that PAM calls with the user and the token. Endpoint, user, region, service, date and life are compared too. PAM hands
 * on at most 511 bytes.
 */
export function installTokenCheck(): TokenCheck {
  const folder = temporaryFolder('token-check-')
  const service = `postern-test-${process.pid}`
  const script = join(folder, 'check.py')
  const rulesFile = join(folder, 'rules.json')
  const pamFile = `/etc/pam.d/${service}`
  writeFileSync(script, SCRIPT.replace('RULES_FILE', rulesFile))
  chmodSync(script, 0o755)
  writeFileSync(pamFile, `auth required pam_exec.so expose_authtok quiet ${script}\naccount required pam_permit.so\n`, {
    mode: 0o644,
  })
  const remove = (): void => {
    process.off('exit', remove)
    rmSync(pamFile, { force: true })
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', remove)
  return { service, remove, allow: (rules) => writeFileSync(rulesFile, JSON.stringify(rules), { mode: 0o644 }) }
}

const SCRIPT = `#!${SYSTEM_PYTHON}
import datetime, hashlib, hmac, json, os, sys, urllib.parse

def refuse():
    sys.exit(1)

rules = json.load(open('RULES_FILE'))
token = sys.stdin.buffer.read(1024).split(b'\\0')[0].decode()
if rules.get('entraTokens', {}).get(token) == os.environ['PAM_USER']:
    sys.exit(0)
endpoint, _, query = token.partition('/?')
pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=True)
given = dict(pairs)
if endpoint not in rules['endpoints'] or len(given) != len(pairs):
    refuse()
if given.get('Action') != 'connect' or given.get('DBUser') != os.environ['PAM_USER']:
    refuse()
if given.get('X-Amz-Algorithm') != 'AWS4-HMAC-SHA256' or given.get('X-Amz-SignedHeaders') != 'host':
    refuse()
key, _, scope = given['X-Amz-Credential'].partition('/')
stamp = given['X-Amz-Date']
if scope != '/'.join([stamp[:8], rules['region'], 'rds-db', 'aws4_request']) or key not in rules['keys']:
    refuse()
age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.strptime(stamp + '+0000', '%Y%m%dT%H%M%SZ%z')
if given['X-Amz-Expires'] != '900' or not -300 < age.total_seconds() < 900:
    refuse()
quote = lambda text: urllib.parse.quote(text, safe='-_.~')
signed = sorted((quote(name), quote(value)) for name, value in pairs if name != 'X-Amz-Signature')
canonical = '\\n'.join(['GET', '/', '&'.join('='.join(pair) for pair in signed), 'host:' + endpoint + '\\n', 'host', hashlib.sha256(b'').hexdigest()])
to_sign = '\\n'.join(['AWS4-HMAC-SHA256', stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
signing = ('AWS4' + rules['keys'][key]).encode()
for part in scope.split('/') + [to_sign]:
    signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
sys.exit(0 if hmac.compare_digest(signing.hex(), given['X-Amz-Signature']) else 1)
`
