#include <gtest/gtest.h>

#include "kernels/device.h"
#include "optim/presets.h"
#include "train/test_options.h"

namespace galore {
namespace {

TEST(ForeignOptions, TotalBatchSize) {
  const Given given({"batch_size=4", "total_batch_size=32"});
  EXPECT_EQ(given.options.gradient_accumulation_steps, 8);
  EXPECT_TRUE(given.noted("total_batch_size is taken as gradient_accumulation_steps=8"));
  EXPECT_NE(
      complaint({"batch_size=4", "total_batch_size=30"}).find("a multiple of per_device_train_batch_size=4"),
      std::string::npos);
  EXPECT_NE(complaint({"total_batch_size=0"}), "");
}

TEST(ForeignOptions, MaxTrainTokens) {
  const Given given({"batch_size=4", "max_length=256", "total_batch_size=8", "max_train_tokens=1M"});
  EXPECT_EQ(given.options.max_steps, 1000000 / (8 * 256));
  EXPECT_TRUE(given.noted("max_train_tokens is taken as max_steps=488"));
  EXPECT_EQ(Given({"max_train_tokens=5"}).options.max_steps, 1);
}

TEST(ForeignOptions, Schedules) {
  const Given given({"lr_scheduler_type=cosine", "warmup_ratio=0.1", "min_lr_ratio=0.25"});
  EXPECT_EQ(given.options.warmup_steps, 0.1);
  EXPECT_EQ(given.options.lr_scheduler_type, "cosine_with_min_lr");
  EXPECT_EQ(given.options.lr_scheduler_kwargs, "min_lr_rate=0.25");
  EXPECT_TRUE(given.noted("warmup_ratio is taken as warmup_steps below 1"));
  EXPECT_NE(complaint({"min_lr_ratio=0.1"}).find("[min_lr_ratio] expected lr_scheduler_type=cosine"),
            std::string::npos);
  EXPECT_NE(complaint({"warmup_ratio=1"}).find("expected at least 0 and below 1"), std::string::npos);
  EXPECT_NE(complaint({"warmup_ratio=-0.5"}).find("expected at least 0 and below 1"), std::string::npos);
}

TEST(ForeignOptions, LlamaFactory) {
  const Given given({"use_galore=true", "galore_layerwise=true", "galore_target=all", "galore_rank=64",
                     "galore_update_interval=100", "galore_scale=2.0", "galore_proj_type=right",
                     "optim=adamw_8bit"});
  const OptimizerSettings& settings = given.options.optimizer.settings;
  EXPECT_EQ(settings.preset, "galore_adamw_8bit");
  EXPECT_TRUE(given.options.optimizer.layerwise);
  EXPECT_EQ(given.options.optimizer.target_modules, std::vector<std::string>{"all-linear"});
  EXPECT_EQ(settings.subspace.rank, 64);
  EXPECT_EQ(settings.subspace.update_proj_gap, 100);
  EXPECT_EQ(settings.subspace.proj_type, "right");
  EXPECT_EQ(option_text(settings, "scale"), "2");
  EXPECT_TRUE(given.noted("use_galore is taken as optim=galore_adamw_8bit"));
  EXPECT_TRUE(given.noted("galore_scale is taken as optim_args=scale=2.0"));
}

TEST(ForeignOptions, UseGaloreWrapsEveryOptimizer) {
  const auto preset = [](const std::string& optim) {
    return Given({"use_galore=true", "optim=" + optim}).options.optimizer.settings->preset;
  };
  EXPECT_EQ(preset("adamw_torch"), "galore_adamw");
  EXPECT_EQ(preset("adamw_bnb_8bit"), "galore_adamw_8bit");
  EXPECT_EQ(preset("adafactor"), "galore_adafactor");
  EXPECT_EQ(preset("galore_adafactor"), "galore_adafactor");
  EXPECT_TRUE(Given({"use_galore=true", "optim=adamw_layerwise"}).options.optimizer.settings->layerwise);
}

TEST(ForeignOptions, ResearchScripts) {
  const Given given(
      {"rank=256", "update_proj_gap=50", "galore_scale=0.5", "proj_type=left", "optim_args=adam_beta2=0.95"});
  EXPECT_EQ(given.options.optim_args, "adam_beta2=0.95,rank=256,update_proj_gap=50,scale=0.5,proj_type=left");
  EXPECT_EQ(given.options.optimizer.settings->subspace.rank, 256);
  EXPECT_NE(complaint({"rank=8", "optim=adamw_torch"}).find("optim_args of adamw_torch"), std::string::npos);
}

TEST(ForeignOptions, Axolotl) {
  const Given given({"optim=q_galore_adamw8bit", "qgalore_rank=256", "qgalore_update_proj_gap=50",
                     "qgalore_scale=0.5", "qgalore_proj_type=std", "qgalore_proj_bits=8",
                     "qgalore_proj_group_size=128", "qgalore_cos_threshold=0.3", "qgalore_gamma_proj=3",
                     "qgalore_queue_size=4", "qgalore_proj_quant=true"});
  const SubspaceOptions& subspace = given.options.optimizer.settings->subspace;
  EXPECT_EQ(subspace.rank, 256);
  EXPECT_EQ(subspace.update_proj_gap, 50);
  EXPECT_EQ(option_text(given.options.optimizer.settings, "scale"), "0.5");
  EXPECT_EQ(subspace.basis_format().dtype, "int8");
  EXPECT_EQ(subspace.proj_group_size, 128);
  EXPECT_EQ(subspace.lazy.cos_threshold, 0.3);
  EXPECT_EQ(subspace.lazy.gamma_proj, 3);
  EXPECT_EQ(subspace.lazy.queue_size, 4);
  const Given unquantized({"optim=q_galore_adamw_8bit", "qgalore_proj_quant=false"});
  EXPECT_EQ(unquantized.options.optimizer.settings->subspace.basis_format().dtype, "bfloat16");
  EXPECT_EQ(Given({"use_galore=true", "optim=q_galore_adamw_8bit"}).options.optim, "q_galore_adamw_8bit");
}

// These are the training keys of configurations that people have published.
TEST(ForeignOptions, ALlamaFactoryFileForGalore) {
  const Given given({}, {"trust_remote_code=true",   "do_train=true",
                         "finetuning_type=full",     "use_galore=true",
                         "galore_layerwise=true",    "galore_target=all",
                         "galore_rank=128",          "galore_scale=2.0",
                         "cutoff_len=1024",          "max_samples=500",
                         "overwrite_cache=true",     "preprocessing_num_workers=8",
                         "plot_loss=true",           "overwrite_output_dir=true",
                         "save_steps=250",           "learning_rate=1e-5",
                         "num_train_epochs=2",       "warmup_ratio=0.1",
                         "lr_scheduler_type=cosine", "pure_bf16=true",
                         "ddp_timeout=180000000"});
  EXPECT_EQ(given.options.optimizer.settings->preset, "galore_adamw");
  EXPECT_TRUE(given.options.optimizer.layerwise);
  EXPECT_EQ(given.options.dtype, "bfloat16");
  EXPECT_TRUE(given.noted("plot_loss has no effect: training_loss.svg is always drawn"));
}

TEST(ForeignOptions, LlamaFactoryFilesForApolloAndBAdam) {
  const Given apollo({}, {"use_apollo=true", "apollo_layerwise=true", "apollo_target=all", "apollo_rank=64",
                          "apollo_scale=32.0", "apollo_scale_type=channel", "apollo_proj=random",
                          "apollo_update_interval=100", "apollo_scale_front=false"});
  EXPECT_EQ(apollo.options.optimizer.settings->preset, "apollo_adamw");
  EXPECT_TRUE(apollo.options.optimizer.layerwise);
  EXPECT_EQ(apollo.options.optimizer.settings->subspace.rank, 64);
  EXPECT_EQ(option_text(apollo.options.optimizer.settings, "scale"), "32");
  const Given badam({}, {"use_badam=true", "badam_mode=layer", "badam_switch_mode=ascending",
                         "badam_switch_interval=50", "badam_verbose=2"});
  EXPECT_EQ(badam.options.optimizer.settings->preset, "badam");
  EXPECT_EQ(option_text(badam.options.optimizer.settings, "switch_every"), "50");
  EXPECT_NE(complaint({"use_badam=true", "badam_switch_mode=random"}).find("expected ascending"),
            std::string::npos);
  EXPECT_NE(complaint({"use_badam=true", "use_apollo=true"}), "");
}

TEST(ForeignOptions, AnAxolotlFile) {
  const Given given(
      {}, {"load_in_8bit=false", "load_in_4bit=false", "strict=false", "val_set_size=0.05",
           "sequence_len=512", "sample_packing=true", "pad_to_sequence_len=true",
           "wandb_project=", "micro_batch_size=2", "num_epochs=1", "optimizer=galore_adamw_8bit_layerwise",
           "optim_args=rank=64,update_proj_gap=50,scale=0.25", "lr_scheduler=cosine", "tf32=false",
           "fp16=", "flash_attention=true", "evals_per_epoch="});
  EXPECT_EQ(given.options.optimizer.settings->preset, "galore_adamw_8bit");
  EXPECT_EQ(given.options.val_size, 0.05);
}

TEST(ForeignOptions, ResearchScriptsCommandLines) {
  const Given q_galore({"lr=0.01",
                        "rank=128",
                        "update_proj_gap=200",
                        "galore_scale=0.25",
                        "batch_size=16",
                        "total_batch_size=512",
                        "num_training_steps=100",
                        "warmup_steps=10",
                        "weight_decay=0",
                        "optimizer=q_galore_adamw8bit",
                        "proj_quant=true",
                        "proj_bits=4",
                        "weight_bits=8",
                        "weight_group_size=256",
                        "stochastic_round=true",
                        "cos_threshold=0.4",
                        "gamma_proj=2",
                        "queue_size=5",
                        "save_dir=runs/q",
                        "grad_clipping=1.0",
                        "single_gpu=true"});
  EXPECT_EQ(q_galore.options.gradient_accumulation_steps, 32);
  EXPECT_EQ(q_galore.options.output_dir, "runs/q");
  EXPECT_EQ(option_text(q_galore.options.optimizer.settings, "weight_bits"), "8");
  const Given apollo({"optimizer=apollo_adamw", "apollo_scale=1", "rank=256", "scale_type=channel",
                      "proj=random", "update_proj_gap=200", "unset_wandb=true", "workers=8"});
  EXPECT_EQ(option_text(apollo.options.optimizer.settings, "scale_type"), "channel");
}

// bf16=auto in axolotl's configurations leaves the choice to the device, which is usually a GPU there.
TEST(ForeignOptions, Bf16MayBeLeftToTheDevice) {
  for (const char* device : {"cpu", "cuda"}) {
    const Given given({"bf16=auto", std::string("device=") + device, "tf32=false", "fp16=false"});
    const bool fast = has_fast_bf16(device);
    EXPECT_EQ(given.options.dtype, fast ? "bfloat16" : "float32");
    EXPECT_TRUE(given.noted(fmt::format("bf16=auto is taken as bf16={}", fast)));
  }
  EXPECT_EQ(Given({"bf16=full"}).options.dtype, "bfloat16");
  EXPECT_EQ(Given({"bfloat16=true"}).options.dtype, "bfloat16");
  EXPECT_EQ(Given({"bf16=false"}, {"bf16=auto"}).options.dtype, "float32") << "the word is taken back";
  EXPECT_EQ(Given({"bf16=auto", "dtype=float32", "device=cuda"}).options.dtype, "float32");
  EXPECT_EQ(complaint({}, {"bf16=perhaps"}),
            "[config.yaml:2] bf16: expected one of true,false,auto,full, given 'perhaps'");
  EXPECT_TRUE(Given({"infer_dtype=auto"})
                  .noted("infer_dtype has no effect: use the option dtype of galore generate"));
}

TEST(ForeignOptions, WhatIsLackingIsNamedWithItsPlace) {
  EXPECT_EQ(complaint({}, {"dataset=alpaca_en"}),
            "[config.yaml:2] dataset: expected train_file: names of a dataset_info.json or of a hub are not "
            "read, given 'alpaca_en'");
  EXPECT_NE(complaint({"deepspeed=zero3.json"}).find("expected none: every process holds the whole model"),
            std::string::npos);
  EXPECT_NE(complaint({"fp16=true"}).find("fp16: expected bf16"), std::string::npos);
  EXPECT_NE(complaint({"template=llama3"}).find("expected chat_template"), std::string::npos);
}

TEST(ForeignOptions, TheCommandLineGoesBeforeTheFile) {
  EXPECT_EQ(Given({"max_steps=7"}, {"max_train_tokens=1M"}).options.max_steps, 7);
  EXPECT_EQ(
      Given({"max_train_tokens=1M", "max_length=100", "batch_size=10"}, {"max_steps=7"}).options.max_steps,
      1000);
  EXPECT_EQ(Given({"warmup_steps=7"}, {"warmup_ratio=0.1"}).options.warmup_steps, 7);
  EXPECT_EQ(Given({"optim_args=rank=16"}, {"rank=8"}).options.optimizer.settings->subspace.rank, 16);
  EXPECT_EQ(Given({"rank=8"}, {"optim_args=rank=16"}).options.optimizer.settings->subspace.rank, 8);
  EXPECT_EQ(
      Given({"gradient_accumulation_steps=2"}, {"total_batch_size=64"}).options.gradient_accumulation_steps,
      2);
}

TEST(ForeignOptions, TwoNamesForOneThingInOnePlaceAreRefused) {
  EXPECT_NE(complaint({"max_steps=7", "max_train_tokens=1M"})
                .find("[max_train_tokens] expected either this or max_steps, given both"),
            std::string::npos);
  EXPECT_NE(complaint({}, {"warmup_steps=7", "warmup_ratio=0.1"}), "");
  EXPECT_NE(complaint({"rank=8", "optim_args=rank=16"}), "");
  EXPECT_NE(complaint({"total_batch_size=64", "gradient_accumulation_steps=2"}), "");
  // The research scripts take both options and check that they agree.
  EXPECT_EQ(Given({"batch_size=4", "total_batch_size=64", "gradient_accumulation_steps=16"})
                .options.gradient_accumulation_steps,
            16);
}

TEST(ForeignOptions, KeysOfRunClmAndTheTrainer) {
  const Given given({"validation_file=v.txt", "block_size=128", "max_train_samples=5", "torch_dtype=bfloat16",
                     "per_gpu_train_batch_size=4", "dataloader_pin_memory=true", "push_to_hub=false",
                     "logging_strategy=steps", "torch_compile=true"});
  EXPECT_EQ(given.options.eval_file, std::vector<std::string>{"v.txt"});
  EXPECT_EQ(given.options.max_length, 128);
  EXPECT_EQ(given.options.max_samples, 5);
  EXPECT_EQ(given.options.dtype, "bfloat16");
  EXPECT_EQ(given.options.per_device_train_batch_size, 4);
  EXPECT_TRUE(given.noted("validation_file is taken as eval_file"));
  EXPECT_TRUE(given.noted("block_size is taken as max_length"));
  EXPECT_NE(complaint({"dataset_name=wikitext"}).find("train_file"), std::string::npos);
  EXPECT_NE(complaint({"no_cuda=true"}).find("device=cpu"), std::string::npos);
}

// run_clm.py's arguments and the fields of TrainingArguments, of transformers 4.57 and 5.
TEST(ForeignOptions, NoKeyOfTheTrainerIsUnknown) {
  TrainOptions options;
  OptionTable table;
  declare_options(table, options);
  for (const std::string& name : split_list(
           "model_name_or_path,config_overrides,config_name,tokenizer_name,cache_dir,use_fast_tokenizer,"
           "model_revision,token,trust_remote_code,torch_dtype,low_cpu_mem_usage,dataset_name,"
           "dataset_config_name,train_file,validation_file,max_train_samples,max_eval_samples,streaming,"
           "block_size,overwrite_cache,validation_split_percentage,preprocessing_num_workers,keep_linebreaks,"
           "output_dir,overwrite_output_dir,do_train,do_eval,do_predict,eval_strategy,prediction_loss_only,"
           "per_device_train_batch_size,per_device_eval_batch_size,gradient_accumulation_steps,"
           "eval_accumulation_steps,eval_delay,torch_empty_cache_steps,learning_rate,weight_decay,adam_beta1,"
           "adam_beta2,adam_epsilon,max_grad_norm,num_train_epochs,max_steps,lr_scheduler_type,"
           "lr_scheduler_kwargs,warmup_ratio,warmup_steps,log_level,log_level_replica,log_on_each_node,"
           "logging_dir,logging_strategy,logging_first_step,logging_steps,logging_nan_inf_filter,save_"
           "strategy,"
           "save_steps,save_total_limit,save_safetensors,save_on_each_node,save_only_model,"
           "restore_callback_states_from_checkpoint,use_cpu,seed,data_seed,jit_mode_eval,bf16,fp16,"
           "fp16_opt_level,half_precision_backend,bf16_full_eval,fp16_full_eval,tf32,local_rank,ddp_backend,"
           "tpu_num_cores,tpu_metrics_debug,debug,dataloader_drop_last,eval_steps,dataloader_num_workers,"
           "dataloader_prefetch_factor,past_index,run_name,disable_tqdm,remove_unused_columns,label_names,"
           "load_best_model_at_end,metric_for_best_model,greater_is_better,ignore_data_skip,fsdp,fsdp_config,"
           "fsdp_min_num_params,fsdp_transformer_layer_cls_to_wrap,accelerator_config,parallelism_config,"
           "deepspeed,label_smoothing_factor,optim,optim_args,adafactor,group_by_length,length_column_name,"
           "report_to,project,trackio_space_id,ddp_find_unused_parameters,ddp_bucket_cap_mb,"
           "ddp_broadcast_buffers,dataloader_pin_memory,dataloader_persistent_workers,skip_memory_metrics,"
           "use_legacy_prediction_loop,push_to_hub,resume_from_checkpoint,hub_model_id,hub_strategy,hub_"
           "token,"
           "hub_private_repo,hub_always_push,hub_revision,gradient_checkpointing,gradient_checkpointing_"
           "kwargs,"
           "include_inputs_for_metrics,include_for_metrics,eval_do_concat_batches,auto_find_batch_size,"
           "full_determinism,torchdynamo,ray_scope,ddp_timeout,torch_compile,torch_compile_backend,"
           "torch_compile_mode,include_tokens_per_second,include_num_input_tokens_seen,neftune_noise_alpha,"
           "optim_target_modules,batch_eval_metrics,eval_on_start,use_liger_kernel,liger_kernel_config,"
           "eval_use_gather_object,average_tokens_across_devices"))
    EXPECT_NE(table.find(name), nullptr) << name;
}

}  // namespace
}  // namespace galore
