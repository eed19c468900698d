resource "google_storage_bucket" "this" {
  # checkov:skip=CKV_GCP_62:The bootstrap has the audit logs of the project say who read or wrote what.
  project  = var.project_id
  name     = var.name
  location = var.location
  labels   = var.labels

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  # ZenML replaces and removes objects of its own (it joins the logs of a step), which a retention policy on the bucket
  # would refuse. Versioning keeps what was replaced or removed, and soft deletion keeps it from whoever may delete
  # versions too.
  soft_delete_policy {
    retention_duration_seconds = 30 * 24 * 60 * 60
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      with_state                 = "ARCHIVED"
      days_since_noncurrent_time = var.retention_days
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key_name == null ? [] : [var.kms_key_name]

    content {
      default_kms_key_name = encryption.value
    }
  }

  # The artifacts are evidence, in staging too: a version in production was made there.
  lifecycle {
    prevent_destroy = true
  }
}

# Object roles do not hold storage.buckets.get, which ZenML and gcsfs call first.
resource "google_storage_bucket_iam_member" "bucket" {
  for_each = merge(var.writers, { for member in setunion(var.readers, var.pruners) : member => member })

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.legacyBucketReader"
  member = each.value
}

resource "google_storage_bucket_iam_member" "writer" {
  for_each = var.writers

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectUser"
  member = each.value
}

resource "google_storage_bucket_iam_member" "reader" {
  for_each = var.readers

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectViewer"
  member = each.value
}

# No smaller predefined role deletes; whom it lets replace an artifact leaves the former version behind.
resource "google_storage_bucket_iam_member" "pruner" {
  for_each = var.pruners

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectUser"
  member = each.value
}
