locals {
  service  = "arn:aws:sagemaker:${var.region}:${var.account_id}"
  role     = "${var.name}-steps"
  role_arn = "arn:aws:iam::${var.account_id}:role/${local.role}"
  logs     = "arn:aws:logs:${var.region}:${var.account_id}:log-group:/aws/sagemaker/*"

  # ZenML names pipelines and jobs after the pipeline in the code, so no prefix tells those of this project from others.
  jobs = ["${local.service}:training-job/*", "${local.service}:processing-job/*"]

  # A pipeline starts each step as a job of its own, and a dynamic one does so from within.
  run_jobs = {
    Sid    = "RunJobs"
    Effect = "Allow"
    Action = [
      "sagemaker:AddTags",
      "sagemaker:CreateProcessingJob",
      "sagemaker:CreateTrainingJob",
      "sagemaker:DescribeProcessingJob",
      "sagemaker:DescribeTrainingJob",
      "sagemaker:StopProcessingJob",
      "sagemaker:StopTrainingJob",
    ]
    Resource = local.jobs
  }

  # Jobs run as this role and no other, whoever starts them.
  pass_role = {
    Sid       = "PassRole"
    Effect    = "Allow"
    Action    = "iam:PassRole"
    Resource  = local.role_arn
    Condition = { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
  }
}

# The identity that the steps run as.
resource "aws_iam_role" "steps" {
  name        = local.role
  description = "What the steps of the pipelines run as"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SageMakerForThisAccount"
      Effect    = "Allow"
      Principal = { Service = "sagemaker.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = "${local.service}:*" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "steps" {
  name = "steps"
  role = aws_iam_role.steps.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.run_jobs,
      local.pass_role,
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = local.logs
      },
      {
        Sid       = "WriteMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*" # knows no resource, only a namespace
        Condition = { StringLike = { "cloudwatch:namespace" = "/aws/sagemaker/*" } }
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "steps" {
  for_each = var.policies

  role       = aws_iam_role.steps.name
  policy_arn = each.value
}

# ---------------------------------------------------------------------------------------------------- who starts runs

resource "aws_iam_policy" "submit" {
  name        = "${var.name}-submit"
  description = "Starts, follows and stops runs on SageMaker, as the role ${local.role}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "RunPipelines"
        Effect = "Allow"
        Action = [
          "sagemaker:AddTags",
          "sagemaker:CreatePipeline",
          "sagemaker:DescribePipeline",
          "sagemaker:DescribePipelineExecution",
          "sagemaker:ListPipelineExecutionSteps",
          "sagemaker:StartPipelineExecution",
          "sagemaker:StopPipelineExecution",
          "sagemaker:UpdatePipeline",
        ]
        Resource = "${local.service}:pipeline/*"
      },
      local.run_jobs,
      local.pass_role,
      {
        Sid      = "ReadLogs"
        Effect   = "Allow"
        Action   = ["logs:DescribeLogStreams", "logs:GetLogEvents"]
        Resource = local.logs
      },
    ]
  })
}
