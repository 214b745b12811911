import { PosternError } from '../../base/errors.ts'
import { readDataRow } from '../../pgwire/backend-messages.ts'
import { readErrorFields } from '../../pgwire/error-response.ts'
import { writeQuery } from '../../pgwire/frontend-messages.ts'
import type { LoginChannel } from './login-channel.ts'

/**
 * Asks a new upstream session one question, by a simple query whose names are all qualified: the role or the database may have
 * a search_path of its own.
 *
 * @returns the row of the answer, undefined where there was none
 * @throws PosternError UPSTREAM_FAILED | UPSTREAM_PROTOCOL
 */
export async function askUpstream(
  channel: LoginChannel,
  question: string,
): Promise<readonly (string | null)[] | undefined> {
  channel.write(writeQuery(question))
  let row: readonly (string | null)[] | undefined
  let failure: PosternError | undefined
  for (;;) {
    const message = await channel.readMessage()
    switch (message.type) {
      case 'D':
        row = readDataRow(message.body)
        break
      case 'E': {
        const sqlstate = readErrorFields(message.body)?.sqlstate ?? 'XX000'
        failure = new PosternError('UPSTREAM_FAILED', `the check of the Postgres role failed with SQLSTATE ${sqlstate}`)
        break
      }
      case 'Z':
        if (failure !== undefined) throw failure
        return row
      case 'T':
      case 'C':
      case 'N':
      case 'S':
      case 'A':
        break
      default:
        throw new PosternError('UPSTREAM_PROTOCOL', 'the database answered the check of the Postgres role unexpectedly')
    }
  }
}
