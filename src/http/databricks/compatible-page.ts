import type { z } from 'zod'
import { cutPage, decodePageToken } from '../page-token.ts'

const pageSizeMax = 100

/** What a list of the compatible API is asked for, as its domain function takes it: one row more than a page. */
export function compatiblePage<Shape extends z.ZodType>(
  query: { readonly page_size: number; readonly page_token?: string | undefined },
  position: Shape,
) {
  const size = query.page_size === 0 ? pageSizeMax : Math.min(query.page_size, pageSizeMax)
  // Some clients send an empty page_token for the first page.
  const after = decodePageToken(query.page_token === '' ? undefined : query.page_token, position)
  return {
    limit: size + 1,
    after,
    /** The page and its token. There is no empty page with a token: some clients stop at it. */
    cut<Row>(rows: readonly Row[], positionOf: (row: Row) => z.output<Shape>) {
      const { rows: page, nextPageToken } = cutPage(rows, size, positionOf)
      return { rows: page, ...(nextPageToken !== undefined && { next_page_token: nextPageToken }) }
    },
  }
}
