import type { AnyAuthMethod, AuthHandlerMiddleware, AuthenticationType, ParsedKey } from 'ssh2'
import { PosternError } from '../../base/errors.ts'
import type { Secret } from '../../base/secret.ts'
import type { SshHop } from '../data-source-route.ts'
import type { DataSourceSecrets } from '../data-source-secrets.ts'
import { readPrivateKey } from './read-private-key.ts'

/** What logs in to one SSH server. */
type HopCredential =
  | { readonly kind: 'password'; readonly password: Secret }
  | { readonly kind: 'private_key'; readonly key: ParsedKey }
  /** Enough to learn the host key of a server, and for nothing else. */
  | { readonly kind: 'none' }

/**
 * Login at an SSH server: which methods are tried, and why none of them worked. The SSH library asks only after the server proved
 * its host key.
 */
export class HopLogin {
  readonly #hop: SshHop
  readonly #who: string
  readonly #credential: HopCredential
  #tried: AuthenticationType[] = []
  /** What the server would take, as it said in its last refusal. */
  #admitted: readonly string[] | undefined
  #wantsMore = false

  /**
   * @param who the SSH server, as sentences name it
   * @throws PosternError UPSTREAM_SSH_KEY_UNREADABLE
   */
  constructor(hop: SshHop, index: number, secrets: DataSourceSecrets, who: string) {
    this.#hop = hop
    this.#who = who
    this.#credential = credentialOf(hop, index, secrets)
  }

  /** For the SSH library: the next method, or the end. */
  readonly next: AuthHandlerMiddleware = (methodsLeft, partialSuccess, proceed) => {
    if (Array.isArray(methodsLeft)) this.#admitted = methodsLeft
    this.#wantsMore ||= partialSuccess ?? false
    const method = this.#nextMethod()
    if (method !== undefined) this.#tried.push(method.type)
    // `false` ends the login; the types do not know it.
    proceed(method ?? (false as unknown as AnyAuthMethod))
  }

  failure(cause: unknown): PosternError {
    const options = { cause, detail: { username: this.#hop.username, admitted: this.#admitted } }
    const refuse = (message: string, hint?: string) =>
      new PosternError('UPSTREAM_SSH_AUTH_FAILED', message, { ...options, hint })
    if (this.#credential.kind === 'none') {
      return refuse(`there is no ${this.#hop.auth === 'password' ? 'password' : 'private key'} for ${this.#who}`)
    }
    if (this.#wantsMore) {
      return refuse(
        `${this.#who} asks for a second proof after the first`,
        'Let the user of Postern in with one: AuthenticationMethods in sshd_config.',
      )
    }
    const isPassword = this.#credential.kind === 'password'
    const wanted = isPassword ? ['password', 'keyboard-interactive'] : ['publickey']
    if (this.#admitted !== undefined && !wanted.some((method) => this.#admitted?.includes(method))) {
      return refuse(
        `${this.#who} takes no ${isPassword ? 'passwords' : 'keys'} from this user; it takes ${this.#admitted.join(', ')}`,
        isPassword ? 'Use a private key, or allow PasswordAuthentication.' : 'Allow PubkeyAuthentication.',
      )
    }
    return isPassword
      ? refuse(`${this.#who} refused the user or the password`, 'Check both by logging in with `ssh`.')
      : refuse(`${this.#who} refused the key of this user`)
  }

  #nextMethod(): AnyAuthMethod | undefined {
    const { username } = this.#hop
    const credential = this.#credential
    if (credential.kind === 'none') return undefined
    if (credential.kind === 'private_key') {
      return this.#tried.length === 0 ? { type: 'publickey', username, key: credential.key } : undefined
    }
    if (this.#tried.length === 0) return { type: 'password', username, password: credential.password.reveal() }
    // Many servers take passwords by this method alone, as PAM wants it.
    const asksQuestions = this.#admitted?.includes('keyboard-interactive') === true
    if (!asksQuestions || this.#tried.includes('keyboard-interactive')) return undefined
    return this.#answeringOnce(username, credential.password)
  }

  #answeringOnce(username: string, password: Secret): AnyAuthMethod {
    let isAnswered = false
    return {
      type: 'keyboard-interactive',
      username,
      prompt(_name, _instructions, _language, prompts, finish) {
        // One hidden question is the password. Anything else is a second factor, which nobody is here to answer.
        const isPassword = prompts.length === 1 && prompts[0]?.echo === false && !isAnswered
        isAnswered = true
        finish(isPassword ? [password.reveal()] : [])
      },
    }
  }
}

function credentialOf(hop: SshHop, index: number, secrets: DataSourceSecrets): HopCredential {
  if (hop.auth === 'password') {
    const password = secrets[`ssh.${index}.password`]
    return password === undefined ? { kind: 'none' } : { kind: 'password', password }
  }
  const privateKey = secrets[`ssh.${index}.privateKey`]
  if (privateKey === undefined) return { kind: 'none' }
  return { kind: 'private_key', key: readPrivateKey(privateKey, secrets[`ssh.${index}.passphrase`]) }
}
