import { PosternError } from '../../base/errors.ts'

/** What somebody reads whose sign-in was finished, took too long, or was begun in another browser. */
export function signInIsOver(): PosternError {
  return new PosternError('NOT_FOUND', 'This sign-in is over, or was begun in another browser', {
    hint: 'Start again from the program that sent you here.',
  })
}
