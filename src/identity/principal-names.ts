import { PosternError } from '../base/errors.ts'

const controlCharacter = /\p{Cc}/u

/**
 * An e-mail address as it is stored: trimmed, in NFC, letters as written. Letter case never tells two users apart.
 * @throws PosternError INVALID_ARGUMENT
 */
export function checkedEmail(text: string): string {
  const email = text.trim().normalize('NFC')
  if (email.length > 254 || !/^[^\s@]+@[^\s@]+$/.test(email) || controlCharacter.test(email)) {
    throw new PosternError('INVALID_ARGUMENT', 'email: must be an e-mail address of at most 254 characters')
  }
  return email
}

/**
 * The name of a group as it is stored: trimmed and in NFC, so that names which look alike in print are the same name. Letter case
 * tells two groups apart, as it does with the Postgres roles that are named after them.
 * @throws PosternError INVALID_ARGUMENT, for digits alone as well: those are ids
 */
export function checkedGroupName(text: string): string {
  const name = checkedDisplayName(text)
  if (/^\d+$/.test(name)) {
    throw new PosternError('INVALID_ARGUMENT', 'displayName: a group needs a name that is not digits alone')
  }
  return name
}

/** Trimmed, in NFC. @throws PosternError INVALID_ARGUMENT */
export function checkedDisplayName(text: string): string {
  const name = text.trim().normalize('NFC')
  if (name.length === 0 || name.length > 255 || controlCharacter.test(name)) {
    throw new PosternError('INVALID_ARGUMENT', 'displayName: must be 1 to 255 characters, without control characters')
  }
  return name
}
