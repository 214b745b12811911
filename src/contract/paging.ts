import { z } from 'zod'

/** Query of every list: how many, and where the previous page ended. */
export const PageQuery = z.object({
  pageSize: z.coerce.number().int().min(1).max(1000).default(50).describe('At most this many items, 1 to 1000.'),
  pageToken: z.string().max(512).optional().describe('nextPageToken of the previous page.'),
})

/** Last field of every list answer; absent on the last page. */
export const nextPageToken = z
  .string()
  .optional()
  .describe('Send it as pageToken to read the next page; absent on the last one.')
