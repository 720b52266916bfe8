"""Make a bucket on an S3-compatible server, if it is not there yet: ``make_bucket.py ENDPOINT BUCKET``."""

import sys

import boto3
from botocore.exceptions import ClientError

endpoint, bucket = sys.argv[1:]
client = boto3.client("s3", endpoint_url=endpoint)
try:
    client.create_bucket(Bucket=bucket)
except ClientError as error:
    if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
        raise
print(f"{bucket} is at {endpoint}")
