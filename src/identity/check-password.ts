import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'

const leastChars = 12
const mostChars = 1024

/**
 * Refuses a password that is easily guessed. Length is asked for and nothing else: rules about digits and signs make passwords that
 * people write down (NIST SP 800-63B section 3.1.1).
 * @param email of whose it will be; null where that is not known yet
 * @throws PosternError INVALID_ARGUMENT, without the password
 */
export function checkPassword(password: Secret, email: string | null): void {
  const text = password.reveal()
  if (text.length < leastChars || text.length > mostChars) {
    throw new PosternError('INVALID_ARGUMENT', `password: must have ${leastChars} to ${mostChars} characters`)
  }
  if (email !== null && text.toLowerCase().includes(email.toLowerCase())) {
    throw new PosternError('INVALID_ARGUMENT', 'password: must not hold the e-mail address')
  }
  if (new Set(text).size < 5) {
    throw new PosternError('INVALID_ARGUMENT', 'password: must have at least five different characters')
  }
}
