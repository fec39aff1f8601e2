variable "project" {
  description = "Id of the Google Cloud project that holds everything and is billed."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens and begins with a letter."
  }
}

variable "region" {
  description = "Region of the machine, the image repository and the secrets."
  type        = string
  default     = "us-central1"
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region looks like us-central1."
  }
}

variable "zone" {
  description = "Zone of the machine and its disks; it must lie in the region."
  type        = string
  default     = "us-central1-a"
  validation {
    condition     = startswith(var.zone, "${var.region}-")
    error_message = "The zone must lie in the region, as us-central1-a lies in us-central1."
  }
}

variable "bigquery_location" {
  description = "Where the dataset lies: US, EU or a region. It cannot be changed later."
  type        = string
  default     = "US"
  validation {
    condition     = can(regex("^(US|EU|[a-z]+-[a-z]+[0-9]+)$", var.bigquery_location))
    error_message = "Write US, EU or a region such as us-central1."
  }
}

variable "dataset" {
  description = "Id of the BigQuery dataset that holds every table."
  type        = string
  default     = "ai_usage"
  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_]{0,1023}$", var.dataset))
    error_message = "A dataset id has letters, digits and underscores."
  }
}

variable "image" {
  description = "The platform's image, in the repository that this makes, with a version or a digest."
  type        = string
  validation {
    condition     = can(regex("(@sha256:[0-9a-f]{64}|:[A-Za-z0-9._-]+)$", var.image)) && !endswith(var.image, ":latest")
    error_message = "Name the image with a version or a digest; :latest may be another image tomorrow."
  }
}

variable "warehouse" {
  description = "Which engine holds the tables: duckdb, on the machine's disk, or bigquery."
  type        = string
  default     = "duckdb"
  validation {
    condition     = contains(["duckdb", "bigquery"], var.warehouse)
    error_message = "Write duckdb or bigquery."
  }
}

variable "start_date" {
  description = "First UTC day of history, YYYY-MM-DD."
  type        = string
  default     = "2026-01-01"
  validation {
    condition     = can(formatdate("YYYY-MM-DD", "${var.start_date}T00:00:00Z"))
    error_message = "Write a day as YYYY-MM-DD."
  }
}

variable "sheet_id" {
  description = "The id in the Google Sheet's URL; empty: the sheet is off."
  type        = string
  default     = ""
}

variable "sources" {
  description = "Whose keys are kept in Secret Manager. A secret is made for each; a source that is not named is off."
  type        = set(string)
  default     = ["cursor", "anthropic"]
  validation {
    condition     = length(setsubtract(var.sources, ["cursor", "anthropic", "claude_enterprise", "sheet"])) == 0
    error_message = "Sources are cursor, anthropic, claude_enterprise and sheet."
  }
}

variable "alerts" {
  description = "Whether the addresses that alerts go to are kept in Secret Manager. A secret is made for them; false: nobody is told."
  type        = bool
  default     = false
}

variable "alerts_link" {
  description = "Where a message's link leads: Metabase's or the report's address, in which {dashboard} is replaced by the page; empty: no link."
  type        = string
  default     = ""
  validation {
    condition     = var.alerts_link == "" || can(regex("^https?://[^ ]+$", var.alerts_link))
    error_message = "Write an address that begins with https://."
  }
}

variable "alerts_file" {
  description = "Path in the code server's container, such as /data/alerts.yaml, of a file that changes thresholds, audiences and quiet periods; empty: ours."
  type        = string
  default     = ""
  validation {
    condition     = var.alerts_file == "" || startswith(var.alerts_file, "/data/")
    error_message = "Write a path below /data/, the volume that outlives the container."
  }
}

variable "operators" {
  description = "Who may reach the machine's pages through IAP: user:name@example.com or group:team@example.com."
  type        = set(string)
  validation {
    condition     = alltrue([for o in var.operators : can(regex("^(user|group):[^@ ]+@[^@ ]+$", o))])
    error_message = "Write user:name@example.com or group:team@example.com."
  }
}

variable "machine_type" {
  description = "Size of the machine. All five containers may use 12 GB together; a calm day needs a third of it."
  type        = string
  default     = "e2-standard-4"
}

variable "disk_gb" {
  description = "Size of the disk that holds the volumes: warehouse, spool, Postgres."
  type        = number
  default     = 100
  validation {
    condition     = var.disk_gb >= 20 && var.disk_gb <= 10000
    error_message = "Between 20 and 10000 GB."
  }
}

variable "snapshot_days" {
  description = "How many days the daily snapshots of that disk are kept."
  type        = number
  default     = 30
  validation {
    condition     = var.snapshot_days >= 7 && var.snapshot_days <= 365
    error_message = "Between 7 and 365 days."
  }
}
