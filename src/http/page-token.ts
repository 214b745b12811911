import { z } from 'zod'
import { PosternError } from '../base/errors.ts'

/** Where a page of principals ended. */
export const DirectoryPagePosition = z.object({ name: z.string().max(300), id: z.string().regex(/^\d{1,18}$/) })

/** Where a page ended, in the form that callers send back unread. */
export function pageTokenFor(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/**
 * @param shape of what {@link pageTokenFor} was given
 * @throws PosternError INVALID_ARGUMENT for a token that this list did not give
 */
export function decodePageToken<Shape extends z.ZodType>(
  token: string | undefined,
  shape: Shape,
): z.output<Shape> | undefined {
  if (token === undefined) return undefined
  try {
    return shape.parse(JSON.parse(Buffer.from(token, 'base64url').toString('utf8')))
  } catch (cause) {
    throw new PosternError('INVALID_ARGUMENT', 'pageToken: is not one that this list gave', { cause })
  }
}

/** Cuts a page off rows of which one more than `pageSize` was read: only then is there a next page. */
export function cutPage<Row>(
  rows: readonly Row[],
  pageSize: number,
  positionOf: (row: Row) => unknown,
): { readonly rows: readonly Row[]; readonly nextPageToken?: string } {
  const page = rows.slice(0, pageSize)
  const last = page.at(-1)
  if (rows.length <= pageSize || last === undefined) return { rows: page }
  return { rows: page, nextPageToken: pageTokenFor(positionOf(last)) }
}
